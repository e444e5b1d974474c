import Foundation
import Testing

/// A failure of the harness or of what it waits for; the text says where the waiting happened.
struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String, at location: SourceLocation? = nil) {
        self.description = location.map { "\($0.fileID):\($0.line): \(description)" } ?? description
    }
}

/// How long the harness waits for anything before it gives up. Far above what is needed: a limit, never a pause.
let defaultTimeout: Duration = .seconds(20)

/// A moment in the future by the monotonic clock.
struct Deadline {
    private let instant: ContinuousClock.Instant

    init(in timeout: Duration) {
        instant = .now + timeout
    }

    var hasPassed: Bool { ContinuousClock.now >= instant }

    /// The same moment for `NSCondition.wait(until:)`.
    var date: Date { Date(timeIntervalSinceNow: remainingSeconds) }

    /// What is left, for `poll(2)`: never negative, rounded up.
    var remainingMilliseconds: Int32 {
        Int32(clamping: Int((remainingSeconds * 1000).rounded(.up)))
    }

    private var remainingSeconds: Double {
        max(0, (instant - .now) / .seconds(1))
    }
}

/// Waits until `condition` holds, looking every 2 ms: for state that nobody announces (/proc, log files).
///
/// A condition that throws ends the wait with its error, so that a dead process is reported at once.
/// - Throws: `HarnessError` naming `what` when `timeout` has passed.
func waitUntil(
    _ what: @autoclosure () -> String, timeout: Duration = defaultTimeout,
    sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) throws {
    let deadline = Deadline(in: timeout)
    while try !condition() {
        if deadline.hasPassed {
            throw HarnessError("still not after \(timeout): \(what())", at: sourceLocation)
        }
        usleep(2_000)
    }
}

/// As `waitUntil`, for a value that appears.
func waitFor<Value>(
    _ what: @autoclosure () -> String, timeout: Duration = defaultTimeout,
    sourceLocation: SourceLocation = #_sourceLocation, _ find: () throws -> Value?
) throws -> Value {
    var found: Value?
    try waitUntil(what(), timeout: timeout, sourceLocation: sourceLocation) {
        found = try find()
        return found != nil
    }
    guard let found else { throw HarnessError(what(), at: sourceLocation) }
    return found
}

/// The shortest of some attempts, of which there are eight at least, and more for ten seconds: this machine may have other things to
/// do in each of them, but what is held up is held up in all. The first attempt within `bound` is the last.
func fastest(within bound: Duration, _ attempt: () throws -> Void) throws -> Duration {
    let deadline = Deadline(in: .seconds(10))
    var best = Duration.seconds(3600)
    var attempts = 0
    while best > bound, attempts < 8 || !deadline.hasPassed {
        best = try min(best, ContinuousClock().measure(attempt))
        attempts += 1
    }
    return best
}
