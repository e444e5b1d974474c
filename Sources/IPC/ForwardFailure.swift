internal import Glibc

/// How `ssh -O forward` came to nothing.
public enum ForwardFailure: UInt8, CaseIterable, MessageChoice {
    /// The master answers and did not open the port.
    case refused
    /// No master took the request.
    case masterDead
    /// There was no answer in time: the port may be opened yet.
    case unknown
}
