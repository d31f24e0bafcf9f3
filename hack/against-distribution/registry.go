package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/network"
)

// password is that of the only user, and htpasswd the user's line in htpasswd's format.
const (
	password = "throwaway"
	htpasswd = user + ":$2a$05$dhlSxh1J.CRkQuotPAKeYOvsdsg1VEVxN2VrN52PGiMtpVv99cRCu\n"
)

const config = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %[1]s/storage}, delete: {enabled: true}}
auth: {htpasswd: {realm: example, path: %[1]s/htpasswd}}
http: {addr: "%[2]s", tls: {certificate: %[1]s/cert.pem, key: %[1]s/key.pem}}
`

// registry is a running registry.
type registry struct {
	addr        string
	certificate []byte
	process     *os.Process
	output      *bytes.Buffer
}

func start(program, dir string) (*registry, error) {
	dir = filepath.Join(dir, "registry")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cert, key, err := certificate()
	if err != nil {
		return nil, err
	}
	for name, data := range map[string][]byte{
		"cert.pem":   cert,
		"key.pem":    key,
		"htpasswd":   []byte(htpasswd),
		"config.yml": fmt.Appendf(nil, config, dir, addr),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	r := &registry{addr: addr, certificate: cert, output: &bytes.Buffer{}}
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"OTEL_TRACES_EXPORTER=none"}, r.output, r.output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.process = cmd.Process
	return r, r.answers()
}

func (r *registry) stop() {
	_ = r.process.Kill() // its data is not needed
	_, _ = r.process.Wait()
}

// answers waits until the registry accepts connections.
func (r *registry) answers() error {
	const tries, pause = 100, 100 * time.Millisecond
	for range tries {
		if conn, err := net.Dial("tcp", r.addr); err == nil {
			return conn.Close()
		}
		time.Sleep(pause)
	}
	r.stop()
	return errors.New("the registry does not answer: " + r.output.String())
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// certificate returns a self-signed certificate for the registry's host, and its key.
func certificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{host},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return cert, key, nil
}

// trusting returns a transport that reaches the registry like the commands do, through
// the rehearsal's proxy.
func trusting(w *network.Network, cert []byte) (http.RoundTripper, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(cert) {
		return nil, errors.New("the registry's certificate is invalid")
	}
	return &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: w.Addr()}),
		TLSClientConfig: &tls.Config{RootCAs: pool},
	}, nil
}
