internal import FoundationEssentials
internal import IPC
internal import JSON
internal import Policy
internal import SFTP

/// The beginning of every call on remote files: it finds the host, and judges the capability and the path.
struct FileCall {
    let host: PolicySnapshot.Host
    let files: RemoteFiles
    let path: [UInt8]
    /// The path as a text: absolute, with the login directory in the place of `~`.
    let text: String
    /// Whether the call is to change something.
    private let writes: Bool

    /// Judges the arguments, then the host, then the policy. A path in the login directory takes a question to the host first.
    ///
    /// Requests for files are judged here and in the gate. A file channel serves all calls, so the gate knows of none what it is
    /// for: it opens the channel by the policy, and where the host's policy is narrow, it reads the requests. To one that it does
    /// not let through it has no answer but the end of this process. So an honest worker never sends one. And only this side sees
    /// where the symlinks of a host lead: the gate judges paths by their text.
    /// - Throws: `Arguments.Mistake` or `GateRefusal`, for the first of these that fails.
    init(
        _ arguments: Arguments, _ context: ToolContext, needs capability: Capability, path name: String = "path"
    ) async throws {
        let asked = try RemotePathArgument(arguments, name)
        writes = capability == .fileWrite
        host = try context.host(try arguments.string("host"))
        guard capability.isOn(host.capabilities), let access = context.access[host.name] else {
            throw GateRefusal(host: host.name, .capability(capability))
        }
        files = RemoteFiles(channel: access.files, base: FileAccess(host).base.map { Array($0.utf8) })
        // `~` is judged as what it becomes.
        path = try await asked.absolute(on: host, files)
        text = String(decoding: path, as: UTF8.self)
        try BaseDirectory(host.baseDir, host: host.name).judge(path: path)
    }

    /// Puts the path into a result: as a text, and in base64 if it is not UTF-8.
    func name(in result: inout JSONObject, as key: String = "path") {
        result[key] = .string(text)
        if String(validating: path, as: UTF8.self) == nil {
            result[key + "_base64"] = .string(Data(path).base64EncodedString())
        }
    }

    /// Works with SFTP. A failure becomes a sentence with the host and path of this call, and with what the host lets know of the
    /// cause.
    func sftp<Result>(_ body: () async throws(SFTPError) -> Result) async throws(FileFailure) -> Result {
        do throws(SFTPError) {
            return try await body()
        } catch {
            throw FileFailure(await files.explained(error, path, writes: writes), host, path: text)
        }
    }
}
