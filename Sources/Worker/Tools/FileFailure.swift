internal import IPC
internal import SFTP

/// Why a call on a file failed or was refused.
struct FileFailure: Error {
    /// A sentence for the model.
    let sentence: String
    /// The rule that refused; empty if something failed.
    var rule = ""
}

extension FileFailure {
    /// Words the error of SFTP about a file of a host.
    init(_ error: SFTPError, _ host: PolicySnapshot.Host, path: String) {
        if case .kept(let copy, let inner) = error {
            let cause = FileFailure(inner, host, path: path)
            self.init(sentence: FileFailures.keeping(copy, cause.sentence), rule: cause.rule)
            return
        }
        if case .leaves(let temporary, let inner) = error {
            let cause = FileFailure(inner, host, path: path)
            self.init(sentence: FileFailures.leaving(temporary, cause.sentence), rule: cause.rule)
            return
        }
        let rule =
            switch error {
            case .exists: "allow_overwrite"
            case .outside, .baseIsRoot: "base_dir"
            case .shellNotAllowed, .notAllowed(.filesOverShell): "file_transport"
            default: ""
            }
        self.init(sentence: FileFailures.sentence(error, host, path: path), rule: rule)
    }
}
