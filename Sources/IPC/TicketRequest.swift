/// A request for a session that a worker makes without its pipes: with `"transport": "ssh"` an `ssh` brings them, and shows the
/// ticket that the gate gives for this request.
public struct TicketRequest: MessageChoice {
    /// How long the `ssh` of a worker may take to show its ticket, in milliseconds: long on a machine that is busy.
    public static let patience = 15_000

    /// The session that is asked for.
    public private(set) var request: GateRequest

    /// A ticket for this session.
    public init(_ request: GateRequest) {
        self.request = request
    }

    /// See `MessageChoice`. Only sessions: a ticket for a ticket would nest without end.
    public static let kinds: [TicketRequest] = GateRequest.kinds.filter { $0.descriptorCount > 0 }.map {
        TicketRequest($0)
    }

    /// See `MessageChoice`.
    public var number: UInt8 { request.number }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) { try request.walk(&fields) }
}
