package report

import "math"

// exact returns the 95 % interval of a share of k in n after Clopper and Pearson (Biometrika 26, 1934): the shares
// under which so few, or so many, come out with a probability of 2.5 % at least. Of nothing found only
// the upper end says something, and of all the lower one: it then has the whole 5 %.
func exact(k, n uint64) (low, high float64) {
	tail := 0.025
	if k == 0 || k == n {
		tail = 0.05
	}
	low, high = 0, 1
	if k > 0 { // P(X >= k) = tail
		low = solve(func(p float64) bool { return 1-atMost(k-1, n, p) < tail })
	}
	if k < n { // P(X <= k) = tail
		high = solve(func(p float64) bool { return atMost(k, n, p) > tail })
	}
	return low, high
}

// solve returns where a condition on a share ends to hold.
func solve(holds func(p float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if middle := (low + high) / 2; holds(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// atMost is the probability of k or fewer in n, each with probability p.
func atMost(k, n uint64, p float64) float64 {
	switch {
	case k >= n || p <= 0:
		return 1
	case p >= 1:
		return 0
	case 2*k > n: // the shorter sum
		return 1 - atMost(n-k-1, n, 1-p)
	}
	lg := func(v uint64) float64 { l, _ := math.Lgamma(float64(v) + 1); return l }
	sum, most, whole := 0.0, math.Inf(-1), lg(n)
	// The largest terms are the last ones where k lies below the mean, and those about the mean else; a
	// term far below the largest adds nothing.
	for i := int64(k); i >= 0; i-- {
		term := whole - lg(uint64(i)) - lg(n-uint64(i)) + float64(i)*math.Log(p) + float64(n-uint64(i))*math.Log1p(-p)
		sum, most = sum+math.Exp(term), max(most, term)
		if term < most-40 && float64(i) < float64(n)*p {
			break
		}
	}
	return min(sum, 1)
}
