internal import Glibc
internal import IPC

/// Sentences about why the supervisor gave no local file. Each says what to do next.
enum LocalFailures {
    /// The rule that refuses; empty if something failed.
    static func rule(_ failure: LocalFailure) -> String {
        switch failure {
        case .closed: "capability"
        case .clientGone, .tooMany, .downloads, .noSuchDownload, .silent, .waited, .commitUnknown, .commitUnknownAfter,
            .lost, .lostAfter, .ended, .unavailable, .stuck, .unsteady, .undelivered, .leaving:
            ""
        }
    }

    static func sentence(_ failure: LocalFailure) -> String {
        switch failure {
        case .closed: return "Local files are closed: capabilities.file_write is off for every host."
        case .clientGone: return "The client has gone."
        case .tooMany:
            return "Too many requests for local files wait already. Wait for some transfers to end, then try again."
        case .downloads(let count): return "\(count) downloads are under way; wait for one to end."
        case .noSuchDownload: return "There is no such download."
        case .silent(let path):
            return
                "The file system of \(shown(path)) does not answer: nothing was read or written there. \(lookAtMount)"
        case .waited:
            return
                "Nothing was done: the request stood behind others whose file systems do not answer. Try again, and leave "
                + "out paths on those."
        case .commitUnknown(let path):
            return
                "The file system of \(shown(path)) does not answer: whether the download has its name there is not known. It "
                + "is there whole, or \(shown(path)) is as it was. Look at it when it answers, before you download it again."
        case .commitUnknownAfter(let failure, let path):
            return
                "Whether the download is at \(shown(path)) is not known, because \(clause(failure)). It is there whole, or "
                + "\(shown(path)) is as it was. Look at it before you download it again."
        case .lost(let path, let silent):
            return
                "The download to \(shown(path)) is lost, and nothing was changed there: the program that held it was ended, "
                + "because the file system of \(shown(silent)) does not answer. Download it again, without paths on that "
                + "file system meanwhile."
        case .lostAfter(let failure, let path):
            return
                "The download to \(shown(path)) is lost, and nothing was changed there, because \(clause(failure)). Download "
                + "it again."
        case .ended(let failure): return "No local file was opened: \(clause(failure)). Try again. \(lookAtLog)"
        case .unavailable(let failure):
            return "No local file can be opened: \(clause(failure)). Nothing was done. \(lookAtLog)"
        case .stuck(let count):
            return
                "No local file can be opened: \(count) earlier requests still wait for file systems that do not answer. "
                + "Nothing was done. \(lookAtMount)"
        case .unsteady(let path):
            return
                "The directory in local_roots that \(shown(path)) lies in was replaced again and again meanwhile. Nothing was "
                + "done; try again when that is over."
        case .leaving(let count):
            return
                "No local file can be opened: \(count) programs that worked for earlier connections or requests have not ended; "
                + "they may wait for file systems that do not answer. Nothing was done. Try again when they have ended, and ask "
                + "the user to look at the mounts if it stays so."
        case .undelivered(let code): return undelivered(code)
        }
    }

    private static func undelivered(_ code: UInt32) -> String {
        let why =
            Int32(clamping: code) == ETOOMANYREFS
            ? "more open files are under way between the user's programs than the limit of open files (ulimit -n) allows. Try again "
                + "later. If it stays so, ask the user to find the program that does not take what it is sent, or to raise "
                + "that limit for the daemon."
            : "its way to this connection is full or broken (\(String(cString: strerror(Int32(clamping: code))))). Try again with "
                + "fewer transfers at once."
        return "The local file was not handed over, and nothing was changed: \(why)"
    }

    static let lookAtMount =
        "Use a path on another file system, or ask the user to look at the mount, and try again when it answers."
    private static let lookAtLog =
        "If it stays so, ask the user to look into the daemon's log, which says how to mend it."

    private static func clause(_ failure: ProgramFailure) -> String { failure.clause(.fileBroker) }

    private static func shown(_ path: String) -> String { FileFailures.shown(path) }
}
