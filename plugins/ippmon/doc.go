// Package ippmon is the port monitor "Internet Printing Port": its ports print to printers
// and print servers that speak the Internet Printing Protocol (RFC 8011), over HTTP or
// HTTPS.
//
// cmd/spoolhost serves it as a module. It sends documents as they are and converts nothing.
package ippmon
