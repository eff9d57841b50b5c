package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// addSources adds the flags that say where a policy is read.
func addSources(cmd *cobra.Command, spec *source.Spec) {
	flags := cmd.Flags()
	flags.StringArrayVar(&spec.Protos, "proto", nil, "compile the protobuf files in `DIR`, to which their imports are relative")
	addImports(cmd, spec)
	flags.StringArrayVar(&spec.Images, "image", nil, "read a buf image or a descriptor set, binary or JSON, from `FILE`; - is the standard input")
	flags.StringArrayVarP(&spec.Files, "file", "f", nil, "read rules that override the options from a policy file or a directory of them, at `PATH`")
	server := &spec.Server
	flags.StringVar(&server.Address, "reflect", "", "ask the gRPC reflection service of the server at `HOST:PORT`")
	flags.BoolVar(&server.Plaintext, "plaintext", false, "with --reflect: connect without TLS")
	flags.StringVar(&server.CACert, "cacert", "", "with --reflect: trust the certificates in `FILE`, not those of the system")
	flags.StringVar(&server.Cert, "cert", "", "with --reflect: present the client certificate in `FILE`")
	flags.StringVar(&server.Key, "key", "", "with --reflect: the key of --cert, in `FILE`")
	flags.StringVar(&server.ServerName, "server-name", "", "with --reflect: expect `NAME` in the certificate of the server")
	flags.StringVar(&server.TokenFile, "reflect-token-file", "", "with --reflect: send the access token in `FILE`")
	flags.DurationVar(&server.Timeout, "timeout", 10*time.Second, "with --reflect: give up after this time")
	for _, name := range []string{"proto", "import"} {
		_ = cmd.MarkFlagDirname(name)
	}
	_ = cmd.MarkFlagFilename("image")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml", "json")
	for _, name := range []string{"plaintext", "cacert", "cert", "key", "server-name", "reflect-token-file", "timeout"} {
		check(cmd, name)
	}
}

// ofReflect are the flags that say nothing without --reflect.
const ofReflect = "needs --reflect"

// check marks a flag as one that needs --reflect.
func check(cmd *cobra.Command, name string) {
	_ = cmd.Flags().SetAnnotation(name, ofReflect, nil)
}

// addImports adds -I.
func addImports(cmd *cobra.Command, spec *source.Spec) {
	cmd.Flags().StringArrayVarP(&spec.Imports, "import", "I", nil,
		"look for imported files in `DIR`, too; drawbridge/v1, google/protobuf, google/api, google/rpc and buf/validate are known")
}

// read reads the policy that the flags of a command name.
func read(cmd *cobra.Command, env Env, spec source.Spec) (*source.Source, error) {
	if err := checkSources(cmd, spec); err != nil {
		return nil, err
	}
	spec.Stdin = env.In
	return source.Read(cmd.Context(), spec)
}

// checkSources reports flags that have no effect, which are most likely mistakes.
func checkSources(cmd *cobra.Command, spec source.Spec) error {
	var errs []error
	cmd.Flags().VisitAll(func(flag *pflagFlag) {
		if _, needs := flag.Annotations[ofReflect]; needs && flag.Changed && spec.Server.Address == "" {
			errs = append(errs, errors.New("--"+flag.Name+" has no effect without --reflect"))
		}
	})
	if len(spec.Imports) > 0 && len(spec.Protos) == 0 {
		errs = append(errs, errors.New("-I has no effect without --proto"))
	}
	if spec.Server.Timeout <= 0 {
		errs = append(errs, errors.New("--timeout has to be positive"))
	}
	return errors.Join(errs...)
}
