/// File broker → supervisor: numbers only, no text, and never a descriptor.
public enum FromFileBroker: IPCMessage {
    /// Sent before it is ready: it looks now at this place of its policy, see `FilePolicy.place(_:)`. The file system there may
    /// not answer.
    case looking(place: UInt32)
    /// The broker is confined and about to read its first request. `landlockABI` is 0 where the kernel has none.
    case ready(landlockABI: UInt8)
    /// The worker has the answer to the request of this id: it was done.
    case done
    /// The worker has the answer to the request of this id: it was refused, or failed.
    case refused
    /// Nothing was done for the request of this id: this root is not what it was when the broker was confined. Another broker can
    /// see to it.
    case rootChanged(root: UInt32)
    /// The answer to the request of this id could not be given to the worker, for this reason. A new file is dropped.
    case undelivered(errno: UInt32)

    /// See `MessageSubject`.
    public var descriptorCount: Int { 0 }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 0 }

    /// See `MessageChoice`.
    public static let kinds: [FromFileBroker] = [
        .looking(place: 0), .ready(landlockABI: 0), .done, .refused, .rootChanged(root: 0), .undelivered(errno: 0),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .looking: 1
        case .ready: 2
        case .done: 3
        case .refused: 4
        case .rootChanged: 5
        case .undelivered: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .looking(var place):
            try fields.field(&place)
            self = .looking(place: place)
        case .ready(var landlockABI):
            try fields.field(&landlockABI)
            self = .ready(landlockABI: landlockABI)
        case .rootChanged(var root):
            try fields.field(&root)
            self = .rootChanged(root: root)
        case .undelivered(var errno):
            try fields.field(&errno)
            self = .undelivered(errno: errno)
        case .done, .refused: break
        }
    }
}
