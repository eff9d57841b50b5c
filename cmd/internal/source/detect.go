package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Detect returns what an operand names: parts separated by commas, each a directory of
// protobuf files, an image, or a policy file or a directory of them. A part can say what it
// is by beginning with "proto:", "image:" or "file:".
func Detect(operand string) (Spec, error) {
	var spec Spec
	for part := range strings.SplitSeq(operand, ",") {
		kind, path, isNamed := strings.Cut(part, ":")
		if !isNamed || !slices.Contains([]string{"proto", "image", "file"}, kind) {
			path = part
			var err error
			if kind, err = detect(part); err != nil {
				return Spec{}, err
			}
		}
		switch kind {
		case "proto":
			spec.Protos = append(spec.Protos, path)
		case "image":
			spec.Images = append(spec.Images, path)
		default:
			spec.Files = append(spec.Files, path)
		}
	}
	return spec, nil
}

func detect(path string) (kind string, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: there is no such file or directory", path)
	case err != nil:
		return "", err
	case info.IsDir():
		return detectDirectory(path)
	}
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		return "file", nil
	case ".proto":
		return "", fmt.Errorf("%s: is a protobuf file; name the directory that its imports are relative to", path)
	}
	data, err := readImage(path, nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if isJSON(data) && !isJSONImage(data) {
		return "file", nil
	}
	return "image", nil
}

// isJSONImage reports whether JSON has the files of an image. A policy has none.
func isJSONImage(data []byte) bool {
	var image jsonImage
	err := json.Unmarshal(data, &image)
	return err == nil && len(image.File) > 0
}

// errFound ends a walk.
var errFound = errors.New("found")

func detectDirectory(path string) (string, error) {
	kind := ""
	err := filepath.WalkDir(path, func(place string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		}
		switch filepath.Ext(place) {
		case ".proto":
			kind = "proto"
			return errFound
		case ".yaml", ".yml", ".json":
			kind = "file"
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errFound):
		return "", err
	case kind == "":
		return "", fmt.Errorf("%s: has neither protobuf nor policy files", path)
	default:
		return kind, nil
	}
}
