#!/bin/bash
# Prometheus: a native histogram made of a classic one has a single bucket where `_created` stands before the buckets.
#
# Version:   github.com/prometheus/prometheus 0.316.0 (Prometheus 3.16), with convert_classic_histograms_to_nhcb
# Expected:  OpenMetrics 1.0 orders a histogram's buckets among themselves, but not `_sum`, `_count`, `_created` and
#            the buckets. So these two pages say the same.
# Behaviour: where `_created` comes after the buckets, each bucket is there. Where it comes after `_sum` and `_count` and
#            before the buckets, as right after the count that it belongs to, the histogram ends there, with all that
#            was counted in one bucket without bounds; a second one with the buckets follows, and is dropped for having
#            the same time. A first scrape's warning tells of that ("different value but same timestamp"), and no
#            error; each quantile is infinite.
# What to do: write `_created` as a histogram's last line.
#
# Seen:
#   _created last: 1 histogram(s), the first with bounds [0.1 1] and counts [3 4 1]
#   _created before the buckets: 2 histogram(s), the first with bounds [] and counts [8]
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >main.go <<'EOF'
package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

const (
	head    = "# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n"
	sums    = "took_seconds_sum 4.2\ntook_seconds_count 8\n"
	created = "took_seconds_created 1700000000.25\n"
	buckets = `took_seconds_bucket{le="0.1"} 3
took_seconds_bucket{le="1.0"} 7
took_seconds_bucket{le="+Inf"} 8
`
)

func tell(what, page string) {
	options := textparse.ParserOptions{ConvertClassicHistogramsToNHCB: true}
	parser, err := textparse.New([]byte(page+"# EOF\n"), "application/openmetrics-text; version=1.0.0", labels.NewSymbolTable(), options)
	if err != nil {
		panic(err)
	}
	count, first := 0, ""
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			panic(err)
		}
		if entry != textparse.EntryHistogram {
			continue
		}
		_, _, whole, _ := parser.Histogram()
		if count++; count == 1 {
			counts, last := []int64{}, int64(0)
			for _, difference := range whole.PositiveBuckets {
				last += difference
				counts = append(counts, last)
			}
			first = fmt.Sprintf("bounds %v and counts %v", whole.CustomValues, counts)
		}
	}
	fmt.Printf("%s: %d histogram(s), the first with %s\n", what, count, first)
}

func main() {
	tell("_created last", head+sums+buckets+created)
	tell("_created before the buckets", head+sums+created+buckets)
}
EOF
go mod init shown >/dev/null 2>&1
go get github.com/prometheus/prometheus/model/textparse@v0.316.0 >/dev/null 2>&1

seen=$(timeout 600 go run .)
echo "$seen"
[ "$seen" = "_created last: 1 histogram(s), the first with bounds [0.1 1] and counts [3 4 1]
_created before the buckets: 2 histogram(s), the first with bounds [] and counts [8]" ]
