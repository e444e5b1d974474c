/// Worker → supervisor.
public enum ToSupervisor: IPCMessage {
    case life(Life)
    case files(Files)
    case audit(Audit)
    case forwards(Forwards)
    case patterns(Patterns)

    /// See `MessageChoice`.
    public static let kinds: [ToSupervisor] = [
        .life(.clientGone), .files(.abandon(handle: 0)), .audit(.begin(.blank)), .forwards(.list),
        .patterns(.checked(mistakes: 0)),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .life: 1
        case .files: 2
        case .audit: 3
        case .forwards: 4
        case .patterns: 5
        }
    }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 0 }

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .life(let message): message.descriptorCount
        case .files(let message): message.descriptorCount
        case .audit(let message): message.descriptorCount
        case .forwards(let message): message.descriptorCount
        case .patterns(let message): message.descriptorCount
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
        case .patterns(var message):
            try fields.field(&message)
            self = .patterns(message)
        }
    }
}
