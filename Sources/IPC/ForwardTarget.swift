/// Where a forward leads, seen from its host.
public enum ForwardTarget: MessageChoice {
    /// A name or address, which the host resolves, IPv6 without brackets, and a port.
    case tcp(host: String, port: UInt16)
    /// A Unix socket, by its path.
    case unix(path: String)

    /// Bytes of the longest path of a Unix socket, unix(7).
    public static let longestPath = 107

    /// Whether it has the form of a target: a host as in `ForwardRule.isHost` and a port, or a path as in `isPath`.
    public var isPossible: Bool {
        switch self {
        case .tcp(let host, let port): port > 0 && ForwardRule.isHost(host)
        case .unix(let path): Self.isPath(path)
        }
    }

    /// Whether a text is the path of a Unix socket that may stand in a command line of `ssh`: absolute, short, without control
    /// characters, and without those that mean something to `ssh -L`: `:`, `\`, `%` and `$`.
    public static func isPath(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.first == UInt8(ascii: "/") && bytes.count <= longestPath
            && text.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case ":", "\\", "%", "$": false
                default: scalar.properties.generalCategory != .control
                }
            }
    }

    /// Whether these are the same bytes: `==` of two texts is also true where they are only spelled alike.
    public static func == (one: ForwardTarget, other: ForwardTarget) -> Bool {
        one.number == other.number && one.specification.utf8.elementsEqual(other.specification.utf8)
    }

    /// The end of the argument of `-L`, ssh(1).
    var specification: String {
        switch self {
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): path
        }
    }

    /// What the audit log tells of it.
    public var fields: [AuditCall.Field] {
        switch self {
        case .tcp(let host, let port): [AuditCall.Field(.remoteHost, host), AuditCall.Field(.remotePort, "\(port)")]
        case .unix(let path): [AuditCall.Field(.remoteSocket, path)]
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [ForwardTarget] = [.tcp(host: "", port: 0), .unix(path: "")]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .tcp: 1
        case .unix: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .tcp(var host, var port):
            try fields.field(&host)
            try fields.field(&port)
            self = .tcp(host: host, port: port)
        case .unix(var path):
            try fields.field(&path)
            self = .unix(path: path)
        }
    }

    static let blank = ForwardTarget.tcp(host: "", port: 0)
}
