package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8s "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubestellar/actions/internal/oci"
)

// moment is the interval of queries to the API server.
const moment = 200 * time.Millisecond

// Kubelet is a stand-in for all kubelets of a cluster. It queries the registry for each container's
// image, as a node would, and runs the container's command with the programs of the real image. A
// container whose image has no program here is assumed to run. Unsupported settings are errors:
// volumes other than projected ones, secrets, config maps and empty folders (each container has its
// own), variables from other sources or in arguments, and another working folder. Probes are not
// run, limits and file modes are ignored, and all containers run as one ordinary user.
type Kubelet struct {
	Client   dynamic.Interface
	Registry *oci.Registry
	// Programs of each image, by the image's repository: name in /bin → file. Entrypoints are the
	// commands of images, for pods without a command.
	Programs    map[string]map[string]string
	Entrypoints map[string]string
	// Env is the part of every container's environment that the node adds.
	Env []string
	// Authority is the certificate file that containers trust, at the path of Linux distributions.
	Authority []byte
	Dir       string
	// Tell is called with every event, from several goroutines.
	Tell func(Event)

	pods sync.WaitGroup
}

// Event is an event of a container.
type Event struct {
	Owner     Object // the creator of the pod: a Job, a Deployment, …
	Container string
	Image     string
	Argv      []string
	What      What
	Err       error
	Log       string // the end of the container's output
}

func (e Event) err() error {
	return fmt.Errorf("%s, container %s, image %s: %s: %w\n%s", e.Owner, e.Container, e.Image, e.What, e.Err, e.Log)
}

// What, as a type, is the kind of an event.
type What string

// The kinds of events.
const (
	Missing What = "its image is missing" // reported once; the query is repeated
	Started What = "started"
	Held    What = "taken to run" // its image exists, but has no program here
	Done    What = "done"
	Failed  What = "failed"
)

// Object names an object of the cluster.
type Object struct{ Kind, Namespace, Name string }

func (o Object) String() string {
	return o.Kind + " " + strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")
}

var podsResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// Run handles pods until ctx is done, and returns once all of their processes have ended.
func (k *Kubelet) Run(ctx context.Context) {
	running := map[types.UID]context.CancelFunc{}
	for ctx.Err() == nil {
		list, err := k.Client.Resource(podsResource).List(ctx, metav1.ListOptions{})
		if err != nil {
			time.Sleep(moment) // the API server is busy, or is ending too
			continue
		}
		there := map[types.UID]bool{}
		for _, item := range list.Items {
			there[item.GetUID()] = true
			if running[item.GetUID()] == nil {
				running[item.GetUID()] = k.begin(ctx, item)
			}
		}
		for uid, stop := range running {
			if !there[uid] {
				stop()
			}
		}
		time.Sleep(moment)
	}
	k.pods.Wait()
}

func (k *Kubelet) begin(ctx context.Context, item unstructured.Unstructured) context.CancelFunc {
	ctx, stop := context.WithCancel(ctx)
	p := &pod{Kubelet: k}
	if err := k8s.DefaultUnstructuredConverter.FromUnstructured(item.Object, &p.Pod); err != nil {
		k.Tell(Event{Owner: Object{"Pod", item.GetNamespace(), item.GetName()}, What: Failed, Err: err})
		return stop
	}
	k.pods.Add(1)
	go func() {
		defer k.pods.Done()
		p.owner = k.owner(ctx, item)
		p.run(ctx)
	}()
	return stop
}

// owner returns the topmost controller of an object, up to the one that a person or a chart made.
func (k *Kubelet) owner(ctx context.Context, o unstructured.Unstructured) Object {
	controller := metav1.GetControllerOfNoCopy(&o)
	if controller == nil {
		return Object{o.GetKind(), o.GetNamespace(), o.GetName()}
	}
	gv, err := schema.ParseGroupVersion(controller.APIVersion)
	resource := gv.WithResource(strings.ToLower(controller.Kind) + "s")
	if err == nil && strings.HasSuffix(gv.Group, "kubestellar.org") {
		return Object{o.GetKind(), o.GetNamespace(), o.GetName()} // KubeFlex owns the objects of a hook
	}
	above, err := k.Client.Resource(resource).Namespace(o.GetNamespace()).Get(ctx, controller.Name, metav1.GetOptions{})
	if err != nil {
		return Object{controller.Kind, o.GetNamespace(), controller.Name}
	}
	return k.owner(ctx, *above)
}

// pod is a pod that the kubelet handles.
type pod struct {
	*Kubelet
	corev1.Pod
	owner Object

	mu      sync.Mutex
	waiting map[string]bool // containers that have not started
}

func (p *pod) run(ctx context.Context) {
	p.waiting = map[string]bool{}
	for _, c := range p.Spec.Containers {
		p.waiting[c.Name] = true
	}
	p.report(ctx, corev1.PodPending)
	for _, c := range p.Spec.InitContainers {
		for {
			err := p.container(ctx, c, func() {})
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			if p.Spec.RestartPolicy == corev1.RestartPolicyNever {
				p.report(ctx, corev1.PodFailed)
				return
			}
			time.Sleep(time.Second)
		}
	}
	p.containers(ctx)
}

// containers run side by side; the pod fails if one of them fails.
func (p *pod) containers(ctx context.Context) {
	errs := make(chan error)
	for _, c := range p.Spec.Containers {
		go func() {
			started := func() {
				p.mu.Lock()
				delete(p.waiting, c.Name)
				p.mu.Unlock()
				p.report(ctx, corev1.PodRunning)
			}
			err := p.container(ctx, c, started)
			for ctx.Err() == nil && p.Spec.RestartPolicy == corev1.RestartPolicyAlways {
				time.Sleep(time.Second)
				err = p.container(ctx, c, started)
			}
			errs <- err
		}()
	}
	var failed error
	for range p.Spec.Containers {
		failed = errors.Join(failed, <-errs)
	}
	switch {
	case ctx.Err() != nil:
	case failed != nil:
		p.report(ctx, corev1.PodFailed)
	default:
		p.report(ctx, corev1.PodSucceeded)
	}
}

// container waits for the image and runs the container to its end.
func (p *pod) container(ctx context.Context, c corev1.Container, started func()) error {
	repository, err := p.pull(ctx, c)
	if err != nil {
		return err
	}
	programs := p.Programs[repository]
	event := Event{Owner: p.owner, Container: c.Name, Image: c.Image, Argv: slices.Concat(c.Command, c.Args)}
	if len(programs) == 0 {
		event.What = Held
		p.Tell(event)
		started()
		<-ctx.Done()
		return ctx.Err()
	}
	if len(c.Command) == 0 {
		event.Argv = append([]string{p.Entrypoints[repository]}, c.Args...)
	}
	log := &tail{}
	one := container{argv: event.Argv, log: log}
	if one.root, one.env, err = p.furnish(ctx, c, programs); err == nil {
		defer remove(one.root)
		event.What = Started
		p.Tell(event)
		started()
		err = one.run(ctx)
	}
	event.What, event.Err, event.Log = Done, err, log.String()
	if err != nil {
		event.What = Failed
	}
	if ctx.Err() == nil {
		p.Tell(event)
	}
	return err
}

// pull waits until the container's image is in the registry, for this machine's platform.
func (p *pod) pull(ctx context.Context, c corev1.Container) (repository string, err error) {
	image, err := name.ParseReference(c.Image)
	if err != nil {
		return "", err
	}
	at := image.Context().Name()
	told := false
	for ctx.Err() == nil {
		d, err := p.Registry.Describe(ctx, at, image.Identifier())
		if platform := "linux/" + runtime.GOARCH; err == nil && !slices.Contains(d.Platforms, platform) {
			err = fmt.Errorf("image %s has platforms %s, want %s", c.Image, strings.Join(d.Platforms, ", "), platform)
		}
		if err == nil {
			return at, nil
		}
		if !told && ctx.Err() == nil {
			told = true
			p.Tell(Event{Owner: p.owner, Container: c.Name, Image: c.Image, What: Missing, Err: err})
		}
		time.Sleep(moment)
	}
	return "", ctx.Err()
}

// furnish prepares the container's file system and environment.
func (p *pod) furnish(ctx context.Context, c corev1.Container, programs map[string]string) (root string, env []string, err error) {
	if root, err = os.MkdirTemp(p.Dir, p.Name+"-"+c.Name+"-*"); err != nil {
		return "", nil, err
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return root, nil, err
	}
	if err := newRoot(root, programs); err != nil {
		return root, nil, err
	}
	if err := mountFiles(root, "/etc/ssl/certs", map[string][]byte{"ca-certificates.crt": p.Authority}); err != nil {
		return root, nil, err
	}
	if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
		if err := mountScratch(root, "/tmp"); err != nil {
			return root, nil, err
		}
	}
	if err := known(c); err != nil {
		return root, nil, err
	}
	for _, m := range c.VolumeMounts {
		if err := p.mount(ctx, root, m); err != nil {
			return root, nil, fmt.Errorf("mounting volume %s: %w", m.Name, err)
		}
	}
	env = append([]string{"PATH=/bin", "HOME=/", "KUBERNETES_SERVICE_HOST=" + apiServerName, "KUBERNETES_SERVICE_PORT=443"}, p.Env...)
	for _, v := range c.Env {
		env = append(env, v.Name+"="+v.Value)
	}
	return root, env, seal(root)
}

// variable matches the variables that a kubelet expands in arguments and variables.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
var variable = regexp.MustCompile(`\$\([A-Za-z_.-][A-Za-z0-9_.-]*\)`)

// known refuses settings that this stand-in would handle differently from a kubelet.
func known(c corev1.Container) error {
	texts := slices.Concat(c.Command, c.Args)
	for _, v := range c.Env {
		if texts = append(texts, v.Value); v.ValueFrom != nil {
			return fmt.Errorf("variable %s comes from elsewhere, which this stand-in for a kubelet does not know", v.Name)
		}
	}
	if len(c.EnvFrom) > 0 || c.WorkingDir != "" {
		return errors.New("it has variables from elsewhere or a working folder, which this stand-in for a kubelet does not know")
	}
	for _, text := range texts {
		if variable.MatchString(text) {
			return fmt.Errorf("%q has a variable, which this stand-in for a kubelet does not expand", text)
		}
	}
	return nil
}

func (p *pod) mount(ctx context.Context, root string, m corev1.VolumeMount) error {
	i := slices.IndexFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
	if i < 0 || m.SubPath != "" {
		return errors.New("it is not there, or only a part of it is asked for")
	}
	v := p.Spec.Volumes[i]
	if v.EmptyDir != nil {
		return mountScratch(root, m.MountPath)
	}
	files, err := p.files(ctx, v)
	if err != nil {
		return err
	}
	return mountFiles(root, m.MountPath, files)
}

func (p *pod) files(ctx context.Context, v corev1.Volume) (map[string][]byte, error) {
	switch {
	case v.Secret != nil:
		return p.data(ctx, "secrets", v.Secret.SecretName, v.Secret.Items)
	case v.ConfigMap != nil:
		return p.data(ctx, "configmaps", v.ConfigMap.Name, v.ConfigMap.Items)
	case v.Projected != nil:
		all := map[string][]byte{}
		for _, source := range v.Projected.Sources {
			some, err := p.projected(ctx, source)
			if err != nil {
				return nil, err
			}
			maps.Copy(all, some)
		}
		return all, nil
	}
	return nil, errors.New("this stand-in for a kubelet does not know its kind")
}

func (p *pod) projected(ctx context.Context, source corev1.VolumeProjection) (map[string][]byte, error) {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := p.token(ctx)
		return map[string][]byte{source.ServiceAccountToken.Path: token}, err
	case source.ConfigMap != nil:
		return p.data(ctx, "configmaps", source.ConfigMap.Name, source.ConfigMap.Items)
	case source.Secret != nil:
		return p.data(ctx, "secrets", source.Secret.Name, source.Secret.Items)
	case source.DownwardAPI != nil:
		files := map[string][]byte{}
		for _, item := range source.DownwardAPI.Items {
			if item.FieldRef == nil || item.FieldRef.FieldPath != "metadata.namespace" {
				return nil, fmt.Errorf("this stand-in for a kubelet knows of a pod its namespace, not %s", item.Path)
			}
			files[item.Path] = []byte(p.Namespace)
		}
		return files, nil
	}
	return nil, errors.New("this stand-in for a kubelet does not know its kind")
}

// data returns the files of a secret or config map, which may appear a moment after the pod.
func (p *pod) data(ctx context.Context, resource, name string, items []corev1.KeyToPath) (map[string][]byte, error) {
	object, err := p.await(ctx, resource, name)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	if resource == "secrets" {
		var secret corev1.Secret
		err = k8s.DefaultUnstructuredConverter.FromUnstructured(object, &secret)
		data = secret.Data
	} else {
		var config corev1.ConfigMap
		err = k8s.DefaultUnstructuredConverter.FromUnstructured(object, &config)
		for key, text := range config.Data {
			data[key] = []byte(text)
		}
	}
	if err != nil || len(items) == 0 {
		return data, err
	}
	some := map[string][]byte{}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			return nil, fmt.Errorf("%s/%s has no key %s", resource, name, item.Key)
		}
		some[item.Path] = value
	}
	return some, nil
}

func (p *pod) await(ctx context.Context, resource, name string) (map[string]any, error) {
	var last error
	for range 100 {
		object, err := p.Client.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace(p.Namespace).Get(ctx, name,
			metav1.GetOptions{})
		if err == nil {
			return object.Object, nil
		}
		if last = err; ctx.Err() != nil {
			break
		}
		time.Sleep(moment)
	}
	return nil, last
}

// token returns a token of the pod's service account, bound to the pod.
func (p *pod) token(ctx context.Context) ([]byte, error) {
	request := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"metadata": map[string]any{"name": p.Spec.ServiceAccountName},
		"spec":     map[string]any{"boundObjectRef": map[string]any{"apiVersion": "v1", "kind": "Pod", "name": p.Name, "uid": string(p.UID)}},
	}}
	accounts := schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	answer, err := p.Client.Resource(accounts).Namespace(p.Namespace).Create(ctx, request, metav1.CreateOptions{}, "token")
	if err != nil {
		return nil, err
	}
	token, _, err := unstructured.NestedString(answer.Object, "status", "token")
	return []byte(token), err
}

// report writes the pod's status. A deleted pod needs none.
func (p *pod) report(ctx context.Context, phase corev1.PodPhase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := corev1.ConditionFalse
	if phase == corev1.PodRunning && len(p.waiting) == 0 {
		ready = corev1.ConditionTrue
	}
	now := metav1.Now()
	status := corev1.PodStatus{Phase: phase, StartTime: &now}
	for _, condition := range []corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: condition, Status: ready, LastTransitionTime: now})
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err == nil {
		_, err = p.Client.Resource(podsResource).Namespace(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		p.Tell(Event{Owner: p.owner, What: Failed, Err: fmt.Errorf("writing the status of pod %s: %w", p.Name, err)})
	}
}
