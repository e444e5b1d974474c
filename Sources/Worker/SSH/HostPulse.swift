internal import Synchronization

/// When something last came from the host behind a ControlMaster, over whichever session: its confirmation, its refusal, output, an
/// exit status. What the master says by itself does not count.
public final class HostPulse: Sendable {
    /// A host of which nothing came for this long, while something was asked of it, is asked whether it is there at all.
    public static let patience = Duration.seconds(3)

    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init() {}

    /// Something has come.
    func heard() { last.withLock { $0 = .now } }

    /// How long nothing has come; nil where nothing ever came.
    var silence: Duration? { last.withLock { $0 }.map { .now - $0 } }

    /// Whether something came within `patience`.
    var isFresh: Bool { silence.map { $0 < Self.patience } ?? false }

    /// Whether something has come since then.
    func hasHeard(since then: ContinuousClock.Instant) -> Bool { last.withLock { $0 }.map { $0 >= then } ?? false }
}
