/// The deadline of all work on a host: it allows slow hosts, and gives up hosts that move next to nothing.
///
/// The time that is left begins at `patience`. Waiting for the host takes from it. Each byte that the host moves adds 1/2048 s,
/// but never beyond `patience`. So a host that moves nothing is given up after `patience`. A host that moves less than 2 KiB a
/// second is given up a little later. A host that moves at least that may take as long as its bytes need. Time that is not spent
/// waiting for the host, for example on a local disk, does not count.
///
/// This value has no clock: its owner says how long it waited, and how many bytes came.
public struct ProgressDeadline: Equatable, Sendable {
    /// The patience with a host of which nothing else is known.
    public static let patience = Duration.seconds(20)
    /// How many bytes a second a host must move in the long run.
    public static let slowest = 2048

    /// The longest time that is ever left.
    public let patience: Duration
    /// The time that is left. At zero or less the host is given up.
    public private(set) var left: Duration

    /// A deadline with all of its time left.
    public init(_ patience: Duration = Self.patience) {
        self.patience = patience
        left = patience
    }

    /// Whether the host is to be given up.
    public var isOver: Bool { left <= .zero }

    /// Takes notice that the host was waited for.
    /// - Parameters:
    ///   - waited: how long.
    ///   - bytes: how many bytes the host moved in that time.
    ///   - grant: time that the host gets for something else than bytes.
    public mutating func spend(_ waited: Duration, moved bytes: Int = 0, grant: Duration = .zero) {
        left = min(patience, left - waited + Self.worth(of: bytes) + grant)
    }

    /// Gives back all of the time, because the host has answered or is asked for the first time in a while.
    public mutating func restart() { left = patience }

    /// How long a host may take for so many bytes.
    public static func worth(of bytes: Int, at rate: Int = Self.slowest) -> Duration {
        .milliseconds(Int64(clamping: bytes / rate) * 1000 + Int64(bytes % rate * 1000 / rate))
    }
}
