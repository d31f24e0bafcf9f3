package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

type dependency struct{ Name, Version string }

func dependenciesIn(text string) ([]dependency, error) {
	var metadata struct{ Dependencies []dependency }
	if err := json.Unmarshal([]byte(text), &metadata); err != nil {
		return nil, fmt.Errorf("reading helm's metadata of a release: %w", err)
	}
	return metadata.Dependencies, nil
}

// until repeats a query until the answer is yes or an error, or ctx is done.
func until(ctx context.Context, ask func() (yes bool, saw string, err error)) error {
	last := "nothing"
	for {
		yes, saw, err := ask()
		if yes || err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			last = saw
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; saw %s", ctx.Err(), last)
		case <-time.After(moment):
		}
	}
}

// condition is a condition of an object of the cluster.
type condition struct{ Type, Status, Message string }

type item struct {
	Metadata struct{ Name, Namespace string }
	Status   struct{ Conditions []condition }
}

func (i item) is(what string) bool {
	return slices.ContainsFunc(i.Status.Conditions, func(c condition) bool { return c.Type == what && c.Status == "True" })
}

func (f *Follower) items(ctx context.Context, kind string) ([]item, error) {
	text, err := f.Shell.Run(ctx, "", "kubectl", "get", kind, "--all-namespaces", "--output", "json")
	if err != nil {
		return nil, err
	}
	var list struct{ Items []item }
	return list.Items, json.Unmarshal([]byte(text), &list)
}

// jobs waits for the Jobs of these names, NAMESPACE/NAME, and for their control planes.
func (f *Follower) jobs(names ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return until(ctx, func() (bool, string, error) {
			planes, err := f.items(ctx, "controlplanes")
			if err != nil {
				return false, "", err
			}
			jobs, err := f.items(ctx, "jobs")
			if err != nil {
				return false, "", err
			}
			var open []string
			for _, name := range names {
				namespace, _, _ := strings.Cut(name, "/")
				is := func(i item) bool { return i.Metadata.Namespace+"/"+i.Metadata.Name == name && i.is("Complete") }
				ready := func(i item) bool { return i.Metadata.Name+"-system" == namespace && i.is("Ready") }
				if !slices.ContainsFunc(jobs, is) || !slices.ContainsFunc(planes, ready) {
					open = append(open, name)
				}
				if slices.ContainsFunc(jobs, func(i item) bool { return i.Metadata.Namespace+"/"+i.Metadata.Name == name && i.is("Failed") }) {
					return false, "", fmt.Errorf("job %s has failed", name)
				}
			}
			return len(open) == 0, "no end of " + strings.Join(open, ", "), nil
		})
	}
}

// deployments waits for all of them except KubeFlex's, since one of its images was
// deleted from its registry.
func (f *Follower) deployments(ctx context.Context) error {
	return until(ctx, func() (bool, string, error) {
		all, err := f.items(ctx, "deployments")
		var open []string
		for _, d := range all {
			if d.Metadata.Namespace != "kubeflex-system" && !d.is("Available") {
				open = append(open, d.Metadata.Namespace+"/"+d.Metadata.Name)
			}
		}
		return len(open) == 0 && len(all) > 1, fmt.Sprintf("%d deployments, of which not available: %s", len(all), strings.Join(open, ", ")), err
	})
}

// standalone applies the hooks as published, and makes control planes with them.
func (f *Follower) standalone(ctx context.Context) error {
	own := f.File.Own()
	for _, name := range []string{"ocm-hook", "kubestellar-hook"} {
		url := fmt.Sprintf("https://github.com/%s/releases/download/%s/%s", own.Repository, f.Version.WithV(), own.Artifacts[name].AssetName(f.Version))
		if _, err := f.Shell.Run(ctx, "", "kubectl", "apply", "--filename", url); err != nil {
			return err
		}
	}
	_, err := f.Shell.Run(ctx, planes, "kubectl", "apply", "--filename", "-")
	return err
}

func (f *Follower) takeDown(ctx context.Context) error {
	for _, args := range [][]string{{"controlplanes", "wds2", "its2"}, {"postcreatehooks", "ocm", "kubestellar"}} {
		if _, err := f.Shell.Run(ctx, "", "kubectl", append([]string{"delete"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

func (f *Follower) uninstall(ctx context.Context) error {
	_, err := f.Shell.Run(ctx, "", "helm", "uninstall", "ks-core")
	return err
}

// inventory returns all objects of the cluster, except those that come and go by themselves.
func (f *Follower) inventory(ctx context.Context) (map[string]bool, error) {
	kinds, err := f.Shell.Run(ctx, "", "kubectl", "api-resources", "--verbs=list", "--output=name")
	if err != nil {
		return nil, err
	}
	of := slices.DeleteFunc(strings.Fields(kinds), func(kind string) bool { return strings.HasPrefix(kind, "events") })
	text, err := f.Shell.Run(ctx, "", "kubectl", "get", strings.Join(of, ","), "--all-namespaces", "--no-headers",
		"--output=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name")
	all := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		all[strings.Join(strings.Fields(line), " ")] = true
	}
	return all, err
}

// stays reports whether uninstalling leaves an object: the kinds of KubeFlex's chart, which helm
// never removes; a hook that KubeFlex's chart makes; and the namespace of an Open Cluster
// Management hub that is the hosting cluster itself.
func stays(object string) bool {
	switch object {
	case "CustomResourceDefinition <none> controlplanes.tenancy.kflex.kubestellar.org",
		"CustomResourceDefinition <none> postcreatehooks.tenancy.kflex.kubestellar.org",
		"APIService <none> v1alpha1.tenancy.kflex.kubestellar.org",
		"PostCreateHook <none> openshift-crds",
		"Namespace <none> open-cluster-management",
		"ConfigMap open-cluster-management kube-root-ca.crt",
		"ServiceAccount open-cluster-management default":
		return true
	}
	return false
}

// nothingLeft compares the cluster with its state before.
func (f *Follower) nothingLeft(ctx context.Context, before map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return until(ctx, func() (bool, string, error) {
		after, err := f.inventory(ctx)
		var left []string
		for o := range after {
			if !before[o] && !stays(o) {
				left = append(left, o)
			}
		}
		slices.Sort(left)
		return len(left) == 0, "left behind: " + strings.Join(left, "; "), err
	})
}

// settled returns the inventory of a control plane once it has created its own objects.
func (f *Follower) settled(ctx context.Context) (all map[string]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = until(ctx, func() (bool, string, error) {
		before := len(all)
		time.Sleep(time.Second)
		all, err = f.inventory(ctx)
		return all["ConfigMap default kube-root-ca.crt"] && len(all) == before, fmt.Sprintf("%d objects, and before %d", len(all), before), err
	})
	return all, err
}
