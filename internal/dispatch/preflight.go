package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/gh"
)

// Released returns the GitHub release of a tag. If the tag or the release is
// absent, that is a finding.
func Released(ctx context.Context, forge *gh.Client, component, repository, tag string) (*gh.Release, error) {
	at, err := forge.Tag(ctx, repository, tag)
	if err != nil {
		return nil, err
	}
	release, err := forge.Release(ctx, repository, tag)
	if err != nil {
		return nil, err
	}
	var findings []decide.Finding
	if at == nil {
		findings = append(findings, unreleased(component, "no tag "+tag+" of "+repository))
	}
	if release == nil {
		findings = append(findings, unreleased(component, "no published release "+tag+" of "+repository))
	}
	return release, decide.Found(findings)
}

func unreleased(component, saw string) decide.Finding {
	return decide.Finding{Rule: "released", Component: component, Saw: saw, Want: "a version that is released",
		Help: "release it first: receivers query it"}
}

// Check checks that the token may dispatch to a receiver, and that the receiver has
// a workflow that listens. Notes are about oddities that prevent nothing.
func (a *Announcer) Check(ctx context.Context, receiver string) (notes []string, err error) {
	rights := a.Forge.CheckWrite(ctx, receiver)
	if errors.Is(rights, gh.ErrAbsent) {
		return nil, rights // then the token can read nothing else of it
	}
	check := a.checkEvent
	if a.Workflow != "" {
		check = a.checkWorkflow
	}
	notes, findings, err := check(ctx, receiver)
	return notes, errors.Join(decide.Found(findings), rights, err)
}

// checkEvent checks that a workflow of the default branch listens to the event.
func (a *Announcer) checkEvent(ctx context.Context, receiver string) ([]string, []decide.Finding, error) {
	all, err := a.Forge.Workflows(ctx, receiver)
	if err != nil {
		return nil, nil, err
	}
	var unread []error
	disabled := ""
	for _, w := range all {
		file, err := a.read(ctx, receiver, w.Path, "")
		unread = append(unread, err)
		switch {
		case err != nil || !file.listens():
		case !w.Active():
			disabled = w.Path + ", which listens and is disabled (" + w.State + ")"
		default:
			return file.shows(receiver, w.Path), nil, nil
		}
	}
	if err := errors.Join(unread...); err != nil {
		return nil, nil, err // the one that listens may be among them
	}
	saw := receiver + " without a workflow that listens"
	if disabled != "" {
		saw = receiver + " with " + disabled
	}
	return nil, []decide.Finding{{Rule: "receiver", Component: a.Event.Component, Saw: saw,
		Want: "a workflow on repository_dispatch with type " + gh.EventType,
		Help: fmt.Sprintf("add .github/workflows/bump.yml to its default branch, with types: [%s] "+
			"and run-name: ${{ github.event.client_payload.id }}, or enable it", gh.EventType)}}, nil
}

// given lists the inputs of a workflow that is started.
var given = []string{"component", "version", "id"}

// checkWorkflow checks that the workflow can be started with these inputs, at the ref.
func (a *Announcer) checkWorkflow(ctx context.Context, receiver string) ([]string, []decide.Finding, error) {
	at := ".github/workflows/" + a.Workflow
	ref, err := a.ref(ctx, receiver)
	if err != nil {
		return nil, nil, err
	}
	finding := decide.Finding{Rule: "receiver", Component: a.Event.Component,
		Want: "a workflow on workflow_dispatch with the inputs " + strings.Join(given, ", "),
		Help: fmt.Sprintf("add %s to %s of %s, with run-name: ${{ inputs.id }}", at, ref, receiver)}
	file, err := a.read(ctx, receiver, at, ref)
	if errors.Is(err, gh.ErrAbsent) {
		if err := a.Forge.CheckAccess(ctx, receiver); err != nil {
			return nil, nil, err
		}
		finding.Saw = fmt.Sprintf("no %s at %s of %s", at, ref, receiver)
		return nil, []decide.Finding{finding}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if finding.Saw = file.unfit(); finding.Saw != "" {
		finding.Saw = at + " of " + receiver + " " + finding.Saw
		return nil, []decide.Finding{finding}, nil
	}
	all, err := a.Forge.Workflows(ctx, receiver)
	for _, w := range all {
		if w.Path == at && !w.Active() {
			finding.Saw, finding.Help = at+" of "+receiver+", which is disabled ("+w.State+")", "enable it"
			return nil, []decide.Finding{finding}, nil
		}
	}
	return file.shows(receiver, at), nil, err
}

var workflowFile = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}[.]ya?ml$`)

// IsWorkflow reports whether a text is the name of a workflow's file, as GitHub
// accepts it in place of an id.
func IsWorkflow(file string) bool {
	return workflowFile.MatchString(file)
}

// workflow is the part of a workflow file that declares how it is started.
type workflow struct {
	RunName string    `yaml:"run-name"`
	On      yaml.Node `yaml:"on"`
}

func (a *Announcer) read(ctx context.Context, receiver, at, ref string) (workflow, error) {
	var w workflow
	data, err := a.Forge.ReadFile(ctx, receiver, at, ref)
	if err != nil {
		return w, err
	}
	if err := yaml.Unmarshal(data, &w); err != nil {
		return workflow{}, nil // GitHub does not start a workflow that it cannot read
	}
	return w, nil
}

// listens reports whether the event starts the workflow. Without types, any type does.
func (w workflow) listens() bool {
	on, starts := w.trigger("repository_dispatch")
	if !starts {
		return false
	}
	var filter struct {
		Types oneOrMore `yaml:"types"`
	}
	err := on.Decode(&filter)
	return err == nil && (len(filter.Types) == 0 || slices.Contains(filter.Types, gh.EventType))
}

// unfit returns the reason why the event cannot start the workflow, or an empty text.
func (w workflow) unfit() string {
	on, starts := w.trigger("workflow_dispatch")
	if !starts {
		return "is not started by workflow_dispatch"
	}
	var declared struct {
		Inputs map[string]struct {
			Required bool
			Default  any
		} `yaml:"inputs"`
	}
	if err := on.Decode(&declared); err != nil {
		return "has inputs that cannot be read"
	}
	for _, name := range given {
		if _, ok := declared.Inputs[name]; !ok {
			return fmt.Sprintf("has no input %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared.Inputs)) {
		if in := declared.Inputs[name]; in.Required && in.Default == nil && !slices.Contains(given, name) {
			return fmt.Sprintf("wants one more input, %q", name)
		}
	}
	return ""
}

// shows returns a note if the workflow's runs cannot show which event started them.
func (w workflow) shows(receiver, at string) []string {
	if strings.Contains(w.RunName, "client_payload.id") || strings.Contains(w.RunName, "inputs.id") {
		return nil
	}
	return []string{fmt.Sprintf("%s of %s does not set its run-name to the id: "+
		"its run cannot be found, and each try starts another one", at, receiver)}
}

// trigger returns the workflow's settings of an event, and whether it listens to it.
// A workflow lists one event, several, or several with settings.
func (w workflow) trigger(event string) (yaml.Node, bool) {
	var events oneOrMore
	if w.On.Kind != yaml.MappingNode {
		return yaml.Node{}, w.On.Decode(&events) == nil && slices.Contains(events, event)
	}
	var all map[string]yaml.Node
	err := w.On.Decode(&all)
	on, ok := all[event]
	return on, err == nil && ok
}

// oneOrMore is a list of words, or one alone.
type oneOrMore []string

// UnmarshalYAML reads either form.
func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}
