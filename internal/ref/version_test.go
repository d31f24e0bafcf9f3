package ref

import (
	"strings"
	"testing"
)

func TestParseVersionRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "v", "1", "1.2", "v1.2.3.4", "1.2.3-", "1.2.3-rc..1", "01.2.3", "1.2.3-01", "1.2.3 ", " 1.2.3", "1.2.3\n",
		"vv1.2.3", "V1.2.3", "1.2.3;id", "$(id)", "`id`", "1.2.3+build", "--upload-pack=x", "../../x", "１.2.3",
		"1.2.3-" + strings.Repeat("a", 200), strings.Repeat("1", 1<<20),
	} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("ParseVersion(%.40q) = %s, want an error", text, v)
		} else if len(err.Error()) > 400 {
			t.Errorf("ParseVersion(%.40q): a message of %d characters", text, len(err.Error()))
		}
	}
}

func TestParseVersionAccepts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "v0.2.0-rc10": "0.2.0-rc10", Placeholder: Placeholder} {
		v, err := ParseVersion(text)
		if err != nil || v.String() != want || v.WithV() != "v"+want {
			t.Errorf("ParseVersion(%q) = %s (%s), %v, want %s", text, v, v.WithV(), err, want)
		}
	}
}

func TestCompareOrders(t *testing.T) {
	t.Parallel()
	ascending := []string{
		"0.0.0-unstamped", "0.1.9", "0.1.10", "0.2.0-1", "0.2.0-alpha", "0.2.0-rc2", "0.2.0-rc9", "0.2.0-rc10", "0.2.0-rc10.1",
		"0.2.0", "1.0.0-rc.9", "1.0.0-rc.10", "1.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			va, _ := ParseVersion(a)
			vb, _ := ParseVersion(b)
			if got, want := va.Compare(vb), compareNumbers(uint64(i), uint64(j)); got != want {
				t.Errorf("%s against %s: got %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"0.1.0": "0.1.1", "0.2.0-rc10": "0.2.0"} {
		v, _ := ParseVersion(text)
		if got := v.Next().String(); got != want {
			t.Errorf("next of %s: got %s, want %s", text, got, want)
		}
	}
}
