/// Why `ssh -O forward` opened no forward.
public enum ForwardFailure: UInt8, CaseIterable, MessageChoice {
    /// The master answers and did not open the port.
    case refused
    /// No master took the request.
    case masterDead
    /// There was no answer in time. The master may still open the port.
    case unknown
}
