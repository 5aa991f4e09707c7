// Package system compares the modelled Linux with the real one: small C programs, each
// about one part of it, print what they see; natively, here, and here with power cuts
// they print the same. It has tests only.
package system
