package network

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubestellar/actions/internal/rehearsal/registry"
)

// The git identity and the user name of the rehearsal. RFC 2606 reserves the domain .invalid.
const (
	identityName  = "Rehearsal"
	identityEmail = "rehearsal@example.invalid"
	tokenUser     = "x-access-token"
)

// place returns the path of a file or folder of the environment.
func (n *Network) place(name string) string { return filepath.Join(n.dir, "home", name) }

// Env returns the environment variables of a child process that uses this network, without PATH.
// HOME is a throwaway, so a child that runs the go command needs GOCACHE and GOMODCACHE, or starts
// with empty caches.
func (n *Network) Env() []string {
	proxy := "http://" + n.Addr()
	pem, none := filepath.Join(n.dir, "ca.pem"), n.place("no-certificates")
	env := []string{
		"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy,
		"HTTP_PROXY=" + proxy, "http_proxy=" + proxy,
		"ALL_PROXY=", "all_proxy=",
		"NO_PROXY=", "no_proxy=",
		"SSL_CERT_FILE=" + pem,
		"SSL_CERT_DIR=" + none,
		"GIT_SSL_CAINFO=" + pem,
		"GIT_SSL_CAPATH=" + none, // git with GnuTLS otherwise reads /etc/ssl/certs in each process
		"CURL_CA_BUNDLE=" + pem,
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + n.place("gitconfig"),
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"HOME=" + n.place("user"),
		"XDG_CONFIG_HOME=" + n.place("user/.config"),
		"XDG_CACHE_HOME=" + n.place("user/.cache"),
		"XDG_DATA_HOME=" + n.place("user/.local/share"),
		"DOCKER_CONFIG=" + n.place("docker"),
		"GITHUB_TOKEN=" + n.token,
	}
	if n.Forge.IsEnterprise() {
		env = append(env, "GITHUB_SERVER_URL="+n.Forge.URL(), "GITHUB_API_URL="+n.Forge.APIURL())
	}
	return env
}

func (n *Network) writeHome() error {
	for _, dir := range []string{"no-certificates", "user/.config", "user/.cache", "user/.local/share", "docker"} {
		if err := os.MkdirAll(n.place(dir), 0o755); err != nil {
			return err
		}
	}
	docker, err := n.dockerConfig()
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"docker/config.json": docker,
		"credential":         fmt.Sprintf("username=%s\npassword=%s\n", tokenUser, n.token),
		"gitconfig":          n.gitConfig(),
	} {
		if err := os.WriteFile(n.place(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) dockerConfig() (string, error) {
	type entry struct {
		Auth string `json:"auth"`
	}
	auth := entry{base64.StdEncoding.EncodeToString([]byte(tokenUser + ":" + n.token))}
	config := map[string]any{"auths": map[string]entry{registry.GHCR: auth, registry.Quay: auth}}
	b, err := json.MarshalIndent(config, "", "  ")
	return string(b), err
}

// gitConfig returns a configuration with a read-only credential helper. git's own store rewrites
// its file after each use, and loses the token after one refusal. Transports that bypass the proxy
// are off, and so is housekeeping, which takes a process more for each commit and fetch.
func (n *Network) gitConfig() string {
	helper := fmt.Sprintf(`!f() { if test "$1" = get; then cat %s; fi; }; f`, shellQuote(n.place("credential")))
	return fmt.Sprintf(`[user]
	name = %s
	email = %s
[init]
	defaultBranch = main
[maintenance]
	auto = false
[credential "%s"]
	helper = %s
[protocol "ssh"]
	allow = never
[protocol "git"]
	allow = never
`, identityName, identityEmail, n.Forge.URL(), configQuote(helper))
}

func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func configQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
