package linux

// RootScript is what the way root runs.
const RootScript = rootScript

// WriteScript is what replaces an account's keys.
const WriteScript = writeScript
