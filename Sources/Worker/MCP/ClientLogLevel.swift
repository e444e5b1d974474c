internal import JSON

/// Severities of log messages, RFC 5424 section 6.2.1, least first.
enum ClientLogLevel: String, CaseIterable, Comparable {
    case debug, info, notice, warning, error, critical, alert, emergency

    /// Reads what a client asked for.
    init(asked value: JSONValue?) throws(RPCError) {
        guard let text = value?.string?.bounded, let level = ClientLogLevel(rawValue: text) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalidParams("the log level must be one of \(names)")
        }
        self = level
    }

    private var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    static func < (left: ClientLogLevel, right: ClientLogLevel) -> Bool { left.severity < right.severity }
}
