/// A fixed line of the gate's that a worker has a host run beside its commands.
public enum Errand: MessageChoice {
    /// Commands that are stopped at once.
    public static let maximumStops: UInt8 = 32
    /// Lines that are swept away at once.
    public static let maximumSwept: UInt8 = 64

    /// Stops the commands of these observers. All are of sessions that this gate has opened.
    case stop([ObserverID])
    /// Prints the nonce, and waits for its input to end: whether the host has room for one session more.
    case probe(nonce: String)
    /// Prints the nonce: whether a login shell comes to run anything.
    case trial(nonce: String)
    /// Ends the login shells whose lines have one of these nonces, and which began nothing.
    case sweep(nonces: [String])
    /// Asks for a subsystem that no host has: any answer is an answer.
    case question
    /// Prints, between two lines with the nonce, who is logged in there, with what shell, and on which machine.
    case identity(nonce: String)

    /// See `MessageChoice`.
    public static let kinds: [Errand] = [
        .stop([]), .probe(nonce: ""), .trial(nonce: ""), .sweep(nonces: []), .question, .identity(nonce: ""),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .stop: 1
        case .probe: 2
        case .trial: 3
        case .sweep: 4
        case .question: 5
        case .identity: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .stop(var observers):
            try fields.field(&observers, limit: Self.maximumStops, blank: ObserverID(processID: 0, nonce: "")) {
                (observer: inout ObserverID, fields: inout MessageFields) throws(IPCError) in
                try observer.walk(&fields)
            }
            self = .stop(observers)
        case .probe(var nonce):
            try fields.field(&nonce, limit: Nonce.maximumSize)
            self = .probe(nonce: nonce)
        case .trial(var nonce):
            try fields.field(&nonce, limit: Nonce.maximumSize)
            self = .trial(nonce: nonce)
        case .sweep(var nonces):
            try fields.field(&nonces, limit: Self.maximumSwept, blank: "") {
                (nonce: inout String, fields: inout MessageFields) throws(IPCError) in
                try fields.field(&nonce, limit: Nonce.maximumSize)
            }
            self = .sweep(nonces: nonces)
        case .question: break
        case .identity(var nonce):
            try fields.field(&nonce, limit: Nonce.maximumSize)
            self = .identity(nonce: nonce)
        }
    }
}
