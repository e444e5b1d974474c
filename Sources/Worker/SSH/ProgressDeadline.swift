/// How long a host may take: the one deadline that all work on a host has.
///
/// It begins with `patience`. The time that is spent waiting for the host runs it down; every byte that the host moves
/// meanwhile fills it again by 1/2048 s, never above `patience`. So a host that moves nothing is given up after `patience`;
/// one that drips is given up little later, because from then on it must move 2 KiB a second; one that is slow, and does
/// that, may take as long as its bytes need. Time that is spent elsewhere, on a local disk for example, does not count.
///
/// A value without a clock: whoever waits says how long it was and what came of it.
public struct ProgressDeadline: Equatable, Sendable {
    /// For a host of whom nothing else is known.
    public static let patience = Duration.seconds(20)
    /// Bytes a second that a host must move in the long run.
    public static let slowest = 2048

    /// The most that is ever left.
    public let patience: Duration
    /// What is left. At zero or less the host is given up.
    public private(set) var left: Duration

    /// A deadline that has all of its time.
    public init(_ patience: Duration = Self.patience) {
        self.patience = patience
        left = patience
    }

    /// Whether the host is to be given up.
    public var isOver: Bool { left <= .zero }

    /// The host was waited for so long, and moved so many bytes in that time. `grant` is time that it was given for
    /// something else than bytes.
    public mutating func spend(_ waited: Duration, moved bytes: Int = 0, grant: Duration = .zero) {
        left = min(patience, left - waited + Self.worth(of: bytes) + grant)
    }

    /// What the host was asked for came, or it is asked for the first time in a while.
    public mutating func restart() { left = patience }

    /// The time that bytes may take.
    public static func worth(of bytes: Int, at rate: Int = Self.slowest) -> Duration {
        .milliseconds(Int64(clamping: bytes / rate) * 1000 + Int64(bytes % rate * 1000 / rate))
    }
}
