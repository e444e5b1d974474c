internal import IPC
internal import Policy
internal import SFTP

/// The beginning of every call on remote files: it finds the host, and judges the capability and the path.
struct FileCall {
    let host: PolicySnapshot.Host
    let files: RemoteFiles
    let path: [UInt8]
    /// The path as it was asked for.
    let text: String

    /// Judges the arguments, then the host, then the policy.
    ///
    /// Requests for files are judged here and in the gate. A file channel serves all calls, so the gate knows of none what it is
    /// for: it opens the channel by the policy, and where the host's policy is narrow, it reads the requests. To one that it does
    /// not let through it has no answer but the end of this process. So an honest worker never sends one. And only this side sees
    /// where the symlinks of a host lead: the gate judges paths by their text.
    /// - Throws: `Arguments.Mistake` or `GateRefusal`, for the first of these that fails.
    init(
        _ arguments: Arguments, _ context: ToolContext, needs capability: Capability, path name: String = "path"
    ) throws {
        text = try arguments.requiredString(name)
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw Arguments.Mistake(
                sentence: "Argument \"\(name)\" must be an absolute path, not \"\(text.prefix(200))\".")
        }
        guard text.utf8.count <= Frame.maximumPath else {
            throw Arguments.Mistake(
                sentence:
                    "Argument \"\(name)\" is \(text.utf8.count) bytes long; paths have at most \(Frame.maximumPath).")
        }
        host = try context.host(try arguments.string("host"))
        guard capability.isOn(host.capabilities), let access = context.access[host.name] else {
            throw GateRefusal(host: host.name, .capability(capability))
        }
        try BaseDirectory(host.baseDir, host: host.name).judge(path: text)
        files = RemoteFiles(channel: access.files, base: FileAccess(host).base.map { Array($0.utf8) })
        path = Array(text.utf8)
    }

    /// Works with SFTP. A failure becomes a sentence with the host and path of this call.
    func sftp<Result>(_ body: () async throws(SFTPError) -> Result) async throws(FileFailure) -> Result {
        do throws(SFTPError) {
            return try await body()
        } catch {
            throw FileFailure(error, host, path: text)
        }
    }
}
