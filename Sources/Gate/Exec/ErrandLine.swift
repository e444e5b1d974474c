public import IPC

/// The lines that hosts run for errands.
public enum ErrandLine {
    /// A subsystem that no host has, RFC 4254 section 6.5. The host refuses it: no shell, start-up file or forced command
    /// runs there for the question. The host's log shows this name.
    static let question = "claude-ssh-daemon-alive"

    /// What is asked of the host: a line for its login shell, or the name of a subsystem.
    public static func of(_ errand: Errand) -> (text: String, isSubsystem: Bool) {
        switch errand {
        case .stop(let observers): (TreeStop.line(observers), false)
        case .probe(let nonce): ("exec /bin/sh -c 'echo \(nonce); read x'", false)
        case .trial(let nonce): ("exec /bin/sh -c 'echo \(nonce)'", false)
        case .sweep(let nonces): (LeftBehind.line(nonces), false)
        case .question: (question, true)
        case .identity(let nonce): (WhoIsThere.line(nonce), false)
        }
    }
}
