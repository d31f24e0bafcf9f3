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

// password of the one user, and its line of an htpasswd file.
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

// registry is a running one.
type registry struct {
	addr        string
	certificate []byte
	process     *os.Process
	said        *bytes.Buffer
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
	for name, data := range map[string][]byte{"cert.pem": cert, "key.pem": key, "htpasswd": []byte(htpasswd), "config.yml": fmt.Appendf(nil, config, dir, addr)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	r := &registry{addr: addr, certificate: cert, said: &bytes.Buffer{}}
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"OTEL_TRACES_EXPORTER=none"}, r.said, r.said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.process = cmd.Process
	return r, r.answers()
}

func (r *registry) stop() {
	_ = r.process.Kill() // it holds nothing that is wanted
	_, _ = r.process.Wait()
}

// answers waits until somebody listens.
func (r *registry) answers() error {
	const tries, pause = 100, 100 * time.Millisecond
	for range tries {
		if conn, err := net.Dial("tcp", r.addr); err == nil {
			return conn.Close()
		}
		time.Sleep(pause)
	}
	r.stop()
	return errors.New("the registry does not answer: " + r.said.String())
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// certificate is made out to the registry's host by itself.
func certificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// trusting reaches the registry as the commands do, through the world.
func trusting(w *network.Network, cert []byte) (http.RoundTripper, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(cert) {
		return nil, errors.New("the registry's certificate is none")
	}
	return &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: w.Addr()}), TLSClientConfig: &tls.Config{RootCAs: pool}}, nil
}
