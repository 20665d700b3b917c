package bench

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxSize bounds a document, whatever a distribution says.
const maxSize = 1 << 40

// Sizes is a distribution of the documents' sizes.
type Sizes struct {
	text string
	pick func(*rand.Rand) int64
}

// String gives what ParseSizes was given.
func (s Sizes) String() string { return s.text }

// Of gives the size of a document: the same for the same number in every run, so that two
// servers get the same work.
func (s Sizes) Of(id uint64) int64 {
	const seed = 20
	n := s.pick(rand.New(rand.NewPCG(seed, id)))
	return min(max(n, payload.MinSize), maxSize)
}

// ParseSizes reads a distribution: "10KiB" is one size, "1KB-1MB" any between two with the same
// chance, "lognormal:50KB,1.2" a median and sigma, and "10KB*8,1MB*2" some with their weights.
func ParseSizes(text string) (Sizes, error) {
	s := Sizes{text: text}
	var err error
	if rest, ok := strings.CutPrefix(text, "lognormal:"); ok {
		s.pick, err = parseLogNormal(rest)
	} else if low, high, ok := strings.Cut(text, "-"); ok {
		s.pick, err = parseRange(low, high)
	} else {
		s.pick, err = parseList(text)
	}
	if err != nil {
		return Sizes{}, spoolerr.As(err, spoolerr.Invalid,
			"%s is no distribution of sizes; write 10KiB, 1KB-1MB, 10KB*8,1MB*2 or lognormal:50KB,1.2 (median and sigma)", spool.Quote(text))
	}
	return s, nil
}

func parseLogNormal(text string) (func(*rand.Rand) int64, error) {
	median, spread, _ := strings.Cut(text, ",")
	m, err := parseSize(median)
	if err != nil {
		return nil, err
	}
	const widest = 5 // one in a thousand is five million times the median: nobody means more
	sigma, err := strconv.ParseFloat(strings.TrimSpace(spread), 64)
	if err != nil || !(sigma > 0 && sigma <= widest) {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "sigma %s is not a number above 0 and up to %d", spool.Quote(spread), widest)
	}
	const most = 1 << 30
	return func(r *rand.Rand) int64 { return int64(min(float64(m)*math.Exp(sigma*r.NormFloat64()), most)) }, nil
}

func parseRange(low, high string) (func(*rand.Rand) int64, error) {
	a, err := parseSize(low)
	if err != nil {
		return nil, err
	}
	b, err := parseSize(high)
	if err != nil {
		return nil, err
	}
	if b < a {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "%s is less than %s", high, low)
	}
	return func(r *rand.Rand) int64 { return a + r.Int64N(b-a+1) }, nil
}

func parseList(text string) (func(*rand.Rand) int64, error) {
	type weighed struct {
		size int64
		upTo int64 // the sum of weights up to here
	}
	var all []weighed
	var sum int64
	for item := range strings.SplitSeq(text, ",") {
		number, times, has := strings.Cut(item, "*")
		n, err := parseSize(number)
		if err != nil {
			return nil, err
		}
		weight := int64(1)
		const most = 1_000_000
		if has {
			if weight, err = strconv.ParseInt(strings.TrimSpace(times), 10, 64); err != nil || weight < 1 || weight > most {
				return nil, spoolerr.New(spoolerr.Invalid, 0, "weight %s is not a number from 1 to %d", spool.Quote(times), most)
			}
		}
		sum += weight
		all = append(all, weighed{n, sum})
	}
	return func(r *rand.Rand) int64 {
		at := r.Int64N(sum)
		i := 0
		for all[i].upTo <= at {
			i++
		}
		return all[i].size
	}, nil
}

// parseSize reads bytes with a unit of 1000 or 1024.
func parseSize(text string) (int64, error) {
	number := strings.TrimSpace(text)
	digits := strings.TrimRight(number, "BKkMGi")
	factor := map[string]int64{
		"": 1, "B": 1, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}[number[len(digits):]]
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || factor == 0 || n < 1 || n > maxSize/factor {
		return 0, spoolerr.New(spoolerr.Invalid, 0, "%s is no size", spool.Quote(text))
	}
	if n *= factor; n < payload.MinSize {
		return 0, spoolerr.New(spoolerr.Invalid, 0, "a document has at least %d bytes, for its checksum", payload.MinSize)
	}
	return n, nil
}
