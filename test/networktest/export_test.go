package networktest

// TrickleSize is trickleSize.
const TrickleSize = trickleSize
