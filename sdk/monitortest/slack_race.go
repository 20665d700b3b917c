//go:build race

package monitortest

// slack multiplies the memory that may come and go by itself: the race detector keeps its
// own books.
const slack = 4
