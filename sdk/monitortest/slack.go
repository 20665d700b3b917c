//go:build !race

package monitortest

// slack multiplies the memory that may come and go by itself.
const slack = 1
