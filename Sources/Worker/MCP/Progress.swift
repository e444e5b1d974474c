internal import JSON
internal import Synchronization

/// Tells the client how far a call has come, if it asked for that, MCP basic/utilities/progress.
///
/// A report is sent at most twice a second, and only if its number is above the last one. A client that does not read loses
/// reports, but never answers.
public final class Progress: Sendable {
    private struct State {
        var reached: Int64 = -1
        var sent: ContinuousClock.Instant?
    }

    /// Least time between two reports.
    private static let pause = Duration.milliseconds(500)

    private let send: (@Sendable (JSONObject) -> Void)?
    private let state = Mutex(State())

    /// For a client that wants no reports.
    public static let none = Progress(token: nil) { _ in }

    /// - Parameter send: gets the `params` of each notification; it must not block.
    init(token: RequestID?, send: @escaping @Sendable (JSONObject) -> Void) {
        guard let token else {
            self.send = nil
            return
        }
        self.send = { params in
            var tagged: JSONObject = ["progressToken": token.json]
            for member in params.members { tagged[member.name] = member.value }
            send(tagged)
        }
    }

    /// Whether the client wants reports. If not, nothing needs to be measured.
    public var isWanted: Bool { send != nil }

    /// Reports that `progress` of `total` is done, in the tool's own unit (bytes, milliseconds). `message` is for people.
    public func report(_ progress: Int64, total: Int64? = nil, message: String? = nil) {
        guard let send else { return }
        let due = state.withLock { state -> Bool in
            let now = ContinuousClock.now
            guard progress > state.reached, state.sent.map({ now - $0 >= Self.pause }) ?? true else { return false }
            state.reached = progress
            state.sent = now
            return true
        }
        guard due else { return }
        var params: JSONObject = ["progress": .integer(progress)]
        if let total { params["total"] = .integer(total) }
        if let message { params["message"] = .string(message) }
        send(params)
    }
}
