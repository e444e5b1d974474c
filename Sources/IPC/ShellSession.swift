/// A session with the files of a host by way of a POSIX shell there. The gate composes its line.
public enum ShellSession: MessageChoice {
    /// A shell that reads what it does from its input.
    case requests
    /// A shell that writes its input to the file at `path`, which exists: over its beginning if `offset` is 0, else at its end,
    /// which must be at `offset`. The nonce begins what it prints of its own.
    case content(nonce: String, path: [UInt8], offset: UInt64)

    /// See `MessageChoice`.
    public static let kinds: [ShellSession] = [.requests, .content(nonce: "", path: [], offset: 0)]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .requests: 1
        case .content: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .requests: break
        case .content(var nonce, var path, var offset):
            try fields.field(&nonce, limit: Nonce.maximumSize)
            try fields.field(&path, limit: Frame.maximumPath)
            try fields.field(&offset)
            self = .content(nonce: nonce, path: path, offset: offset)
        }
    }
}
