package cli

const diffHelp = `Compare two policies procedure by procedure, with both requirements and both places,
what lets more callers in first:

  looser     whoever was let in still is, and others may be, too
  different  either may let in callers whom the other does not
  new, open  a new procedure that is open to every caller, or to every valid token
  new        a new procedure with a requirement, or one that is denied
  tighter    whoever is let in was let in before, and others may no longer be
  gone       the procedure does not exist any more

Rules that are written in different ways and let in the same callers are the same, and so
are rules that differ in their reason or their place alone. In doubt a change is taken for
different. Implications between scopes count; those that changed are listed behind the
procedures. A resource through which the policy lets clients reach more services is looser.

OLD and NEW are each a directory of protobuf files, an image, or a policy file or a
directory of them, or several of these, separated by commas: "proto,policy.yaml" is what a
server with that file enforces. The kind of a path is recognized by its content, and can be
given before it as "proto:", "image:" or "file:". --proto and --image name descriptors that
both sides have beneath their own, with the rules in their options. If only one side has
descriptors, the names in the other are checked against them.

In CI, compare the branch that is merged into with the one that is merged. --fail-on says
which changes a person has to look at. A reviewer who agrees with such a change merges it in
spite of the failure, or has a label that skips the job, as for one that breaks an API.

Exit codes:
  0  nothing changed that --fail-on names: by default nothing is looser or different, and
     no new procedure is open
  1  something did
  2  one of the policies cannot be read or has faults, or the command is wrong`

const diffExamples = `  drawbridge policy diff old/proto proto
  drawbridge policy diff old/proto,old/policy.yaml proto,policy.yaml
  drawbridge policy diff --proto proto old/policy.yaml policy.yaml
  drawbridge policy diff old.binpb image.binpb -o markdown
  drawbridge policy diff --fail-on looser,different,new,gone old/proto proto

  # in a pull request
  git worktree add ../base origin/main
  drawbridge policy diff ../base/proto proto -o markdown >> "$GITHUB_STEP_SUMMARY"`
