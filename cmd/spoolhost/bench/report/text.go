// Package report shows what load tests found, as a page of its own with plots, and gives
// figures in words. The command "spoolhost bench" and the comparison with CUPS import it.
package report

import (
	"fmt"
	"math"
	"strconv"
)

// Time gives seconds in a unit that fits, with three digits.
func Time(seconds float64) string {
	switch {
	case seconds <= 0:
		return "0"
	case seconds < 1e-3:
		return digits(seconds*1e6) + " µs"
	case seconds < 1:
		return digits(seconds*1e3) + " ms"
	case seconds < 120:
		return digits(seconds) + " s"
	}
	return digits(seconds/60) + " min"
}

// Bytes gives a size, with three digits.
func Bytes(n float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for ; n >= 999.5 && i < len(units)-1; i++ {
		n /= 1000
	}
	return digits(n) + " " + units[i]
}

// Number gives a number with three digits, or all before the point.
func Number(n float64) string { return digits(n) }

func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.01:
		return fmt.Sprintf("%.2f", v)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}
