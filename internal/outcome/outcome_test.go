package outcome

import (
	"errors"
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, Fine},
		{plain, Unchecked},
		{Usagef("u: %w", plain), Usage},
		{fmt.Errorf("deep: %w", Wrongf("w")), Wrong},
		{errors.Join(plain, Usagef("u")), Usage},
		{errors.Join(Usagef("u"), fmt.Errorf("x: %w", errors.Join(plain, Wrongf("w")))), Wrong},
		{As(Wrong, nil), Fine},
	} {
		if got := Of(test.err); got != test.want {
			t.Errorf("Of(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}
