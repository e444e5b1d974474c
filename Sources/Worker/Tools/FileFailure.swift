internal import IPC
internal import SFTP

/// A sentence about what went wrong with a file.
struct FileFailure: Error {
    let sentence: String
    /// The rule that refused; empty where something failed.
    var rule = ""
}

extension FileFailure {
    /// What SFTP says about a file of a host.
    init(_ error: SFTPError, _ host: PolicySnapshot.Host, path: String) {
        let rule =
            switch error {
            case .exists: "allow_overwrite"
            case .outside, .baseIsRoot: "base_dir"
            default: ""
            }
        self.init(sentence: FileFailures.sentence(error, host, path: path), rule: rule)
    }
}
