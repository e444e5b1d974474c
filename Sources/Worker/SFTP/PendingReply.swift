/// A request that was sent. Its owner abandons the reply by letting this object go.
final class PendingReply: Sendable {
    private let slot: Slot<TimedReply>
    private let client: SFTPClient
    private let call: String
    private let path: [UInt8]
    private let answer: SFTPRequest.Answer
    /// How many bytes of a file the request has.
    private let brings: Int
    /// Time that it may take beyond the patience, see `SFTPClient`.
    private let grant: Duration
    private let cost: Int
    private let sent = ContinuousClock.now
    private let operation = HostOperation.current

    init(slot: Slot<TimedReply>, client: SFTPClient, request: SFTPRequest, path: [UInt8], grant: Duration) {
        self.slot = slot
        self.client = client
        self.path = path
        self.grant = grant
        cost = request.cost
        call = request.call.name
        brings = request.content
        answer = request.answer
    }

    deinit {
        client.settle(cost)
        if let unwanted = slot.abandon() { client.discard(unwanted.reply, path: path) }
    }

    /// Waits for the OK of a request that is answered by a status.
    func done() async throws(SFTPError) {
        guard case .status(.ok, _) = try await reply() else { throw mismatch }
    }

    func handle() async throws(SFTPError) -> SFTPHandle {
        guard case .handle(let bytes) = try await reply() else { throw mismatch }
        return SFTPHandle(bytes: bytes, path: path, client: client)
    }

    func attributes() async throws(SFTPError) -> SFTPAttributes {
        guard case .attributes(let attributes) = try await reply() else { throw mismatch }
        return attributes
    }

    /// The data; nil at the end of the file.
    func data() async throws(SFTPError) -> ArraySlice<UInt8>? {
        do throws(SFTPError) {
            guard case .data(let data) = try await reply() else { throw mismatch }
            return data
        } catch .refused(.endOfFile, _, _, _) {
            return nil
        }
    }

    /// The names; nil at the end of the directory.
    func names() async throws(SFTPError) -> [SFTPName]? {
        do throws(SFTPError) {
            guard case .names(let names) = try await reply() else { throw mismatch }
            return names
        } catch .refused(.endOfFile, _, _, _) {
            return nil
        }
    }

    /// The answer to a request for exactly one name.
    func name() async throws(SFTPError) -> [UInt8] {
        guard case .names(let names) = try await reply(), let first = names.first else { throw mismatch }
        return first.name
    }

    func extended() async throws(SFTPError) -> ArraySlice<UInt8> {
        guard case .extended(let bytes) = try await reply() else { throw mismatch }
        return bytes
    }

    private func reply() async throws(SFTPError) -> SFTPReply {
        let began = ContinuousClock.now
        let answer = try await slot.value()
        let reply = answer.reply
        // The wait ends when the reply arrived, not now: a busy worker does not make the host slow.
        try charge(reply, waited: max(.zero, answer.arrived - began))
        if case .status(let status, let message) = reply, status != .ok {
            throw .refused(status, call: call, path: path, message: message)
        }
        return reply
    }

    private func charge(_ reply: SFTPReply, waited: Duration) throws(SFTPError) {
        guard let operation else { return }
        let gain: HostOperation.Gain
        switch answer {
        case .data: gain = .piece(reply.content)
        case .names: gain = .names(reply.content)
        case .status where brings > 0: gain = .taken(brings)
        case .status, .handle, .name, .attributes, .extended: gain = .answer
        }
        let ofAll = client.count(gain.bytes)
        let step = HostOperation.Step(gain: gain, waited: waited, sent: sent, grant: grant, ofAll: ofAll)
        switch operation.charge(step) {
        case .none: return
        case .slow: throw .slow
        case .inPieces(let bytes):
            let detail = "a file in pieces of \(bytes) bytes"
            client.broken(detail)
            throw .broken(detail: detail)
        }
    }

    /// The client has already refused replies of another kind, so this should not happen.
    private var mismatch: SFTPError { .broken(detail: "an answer of the wrong kind, to \(call)") }
}
