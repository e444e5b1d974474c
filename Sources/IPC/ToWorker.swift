/// Supervisor → worker.
public enum ToWorker: IPCMessage {
    case life(Life)
    case files(Files)
    case audit(Audit)
    case forwards(Forwards)

    /// See `MessageChoice`.
    public static let kinds: [ToWorker] = [
        .life(.policy), .files(.brokerEnded(0)), .audit(.begun), .forwards(.list([])),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .life: 1
        case .files: 2
        case .audit: 3
        case .forwards: 4
        }
    }

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .life(let message): message.descriptorCount
        case .files(let message): message.descriptorCount
        case .audit(let message): message.descriptorCount
        case .forwards(let message): message.descriptorCount
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .life(var message):
            try fields.field(&message)
            self = .life(message)
        case .files(var message):
            try fields.field(&message)
            self = .files(message)
        case .audit(var message):
            try fields.field(&message)
            self = .audit(message)
        case .forwards(var message):
            try fields.field(&message)
            self = .forwards(message)
        }
    }
}
