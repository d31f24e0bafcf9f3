// Package cluster checks the charts and hooks in a real control plane: etcd, kube-apiserver and
// kube-controller-manager as processes on loopback, KubeFlex's controller as its chart runs it, and
// registries that answer by the real names. A stand-in for the kubelet replaces the nodes.
package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// apiServerName is the name of the API server for pods and in its certificate.
const apiServerName = "kubernetes.default.svc"

// ControlPlane is a running Kubernetes control plane without nodes.
type ControlPlane struct {
	Dir        string // all its files; logs are in DIR/NAME.log
	Kubeconfig string // of a cluster administrator
	Addr       string // of the API server, host:port
	token      string
	ca         string // a file: the authority of this API server
	processes  []*exec.Cmd
}

// StartControlPlane starts a control plane with its files in dir and its programs in bin. It
// returns once the API server is ready. Close ends it.
func StartControlPlane(ctx context.Context, dir, bin string) (*ControlPlane, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig"), Addr: ports[0], token: rand.Text(),
		ca: filepath.Join(dir, "certificates", "apiserver.crt")}
	if err := c.furnish(); err != nil {
		return nil, err
	}
	err = errors.Join(
		c.start(bin, "etcd", "--data-dir="+filepath.Join(dir, "etcd"), "--log-level=error", "--unsafe-no-fsync",
			"--listen-client-urls=http://"+ports[1], "--advertise-client-urls=http://"+ports[1],
			"--listen-peer-urls=http://"+ports[2], "--initial-advertise-peer-urls=http://"+ports[2], "--initial-cluster=default=http://"+ports[2]),
		c.start(bin, "kube-apiserver", c.apiServerArgs(ports[1])...),
	)
	if err == nil {
		err = c.waitReady(ctx)
	}
	if err == nil {
		_, port, _ := net.SplitHostPort(ports[3])
		err = c.start(bin, "kube-controller-manager", "--kubeconfig="+c.Kubeconfig, "--use-service-account-credentials", "--leader-elect=false",
			"--service-account-private-key-file="+filepath.Join(dir, "service-account.key"), "--root-ca-file="+c.ca,
			"--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+filepath.Join(dir, "controller-manager"),
			// There are no nodes.
			"--controllers=*,-node-ipam-controller,-node-lifecycle-controller,-node-route-controller,-cloud-node-lifecycle-controller")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// freePorts returns addresses of 127.0.0.1 that are free at the moment.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// The API server enforces the standard "restricted" for every pod, except in two namespaces in
// which KubeFlex's own chart runs pods with incomplete settings.
// https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/
const admission = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    defaults: {enforce: restricted, enforce-version: latest, warn: restricted, warn-version: latest}
    exemptions: {namespaces: [kubeflex-system, default]}
`

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", certificate-authority: %q}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`

func (c *ControlPlane) furnish() error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for name, content := range map[string]string{
		"service-account.key": string(keyPEM),
		"tokens.csv":          c.token + ",admin,admin,system:masters\n",
		"admission.yaml":      admission,
		"kubeconfig":          fmt.Sprintf(kubeconfig, c.Addr, c.ca, c.token),
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *ControlPlane) apiServerArgs(etcd string) []string {
	_, port, _ := net.SplitHostPort(c.Addr)
	key := filepath.Join(c.Dir, "service-account.key")
	return []string{
		"--etcd-servers=http://" + etcd, "--bind-address=127.0.0.1", "--secure-port=" + port, "--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", "--cert-dir=" + filepath.Dir(c.ca),
		"--service-account-issuer=https://" + apiServerName, "--service-account-signing-key-file=" + key, "--service-account-key-file=" + key,
		"--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--allow-privileged=false",
		"--token-auth-file=" + filepath.Join(c.Dir, "tokens.csv"), "--admission-control-config-file=" + filepath.Join(c.Dir, "admission.yaml"),
	}
}

func (c *ControlPlane) start(bin, name string, args ...string) error {
	log, err := os.Create(filepath.Join(c.Dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close() // the process has it
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	cmd.Env = []string{"HOME=" + c.Dir} // no proxy is between them
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	c.processes = append(c.processes, cmd)
	return nil
}

// waitReady queries the API server until it is ready.
func (c *ControlPlane) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		if last = c.ready(ctx); last == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("waiting for the API server: %w; its log ends\n%s", last, c.logEnd("kube-apiserver"))
}

func (c *ControlPlane) ready(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config()) // fails until the server has its certificate
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.Addr+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

// Config returns an administrator's configuration, for clients in this process.
func (c *ControlPlane) Config() *rest.Config {
	return &rest.Config{Host: "https://" + c.Addr, BearerToken: c.token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.ca}}
}

func (c *ControlPlane) logEnd(name string) string {
	text, _ := os.ReadFile(filepath.Join(c.Dir, name+".log")) // a hint beside another error
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// Close ends the processes in reverse order.
func (c *ControlPlane) Close() {
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].Process.Kill() // their state is not needed
		c.processes[i].Wait()
	}
	c.processes = nil
}
