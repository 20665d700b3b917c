// Package form is the vocabulary of a dialogue: pages of typed fields, answers, and what
// makes an answer fit a field.
//
// Vendors of UI modules, the host and front ends import it. It shows nothing and talks to
// nobody.
package form
