/// File broker → supervisor. The messages have numbers only: no text, and never a descriptor.
public enum FromFileBroker: IPCMessage {
    /// The broker is not ready yet, and looks now at this place of its policy, see `FilePolicy.place(_:)`. The file system there
    /// may not answer.
    case looking(place: UInt32)
    /// The broker is confined, and will read its first request. `landlockABI` is 0 if the kernel has no Landlock.
    case ready(landlockABI: UInt8)
    /// The request of this id was done, and the worker has the answer.
    case done
    /// The request of this id was refused or has failed, and the worker has the answer.
    case refused
    /// Nothing was done for the request of this id, because this root has changed since the broker was confined. A new broker can
    /// do the request.
    case rootChanged(root: UInt32)
    /// The answer to the request of this id could not be sent to the worker, with this errno. A new file is dropped.
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
