internal import IPC
internal import JSON
internal import MCP
internal import SFTP

/// `ssh_download_file`: copies a file of a host into a local file, which a file broker makes.
enum DownloadFileTool: Tool {
    static let name = "ssh_download_file"

    static let needs: [Capability] = [.fileWrite]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Download a file",
            description:
                "Copies a file of a host to this machine, whole or not at all, with its mode; paths are absolute. One that "
                + "grows is copied as it began (\"grew_to\"). "
                + (policy.allowOverwrite
                    ? "One that exists is replaced."
                    : "A local file that exists is refused: overwriting is switched off."),
            inputSchema: Schema.object(
                [
                    "remote_path": Schema.string(), "remote_path_base64": Schema.string(),
                    "local_path": Schema.string(), "host": Schema.host(),
                    "sha256": LocalTransfer.checksum,
                ], required: ["local_path"]),
            outputSchema: Schema.result(
                [
                    "downloaded": Schema.boolean(), "size": Schema.integer(), "grew_to": Schema.integer(),
                    "note": Schema.string(),
                ]),
            readOnly: false, destructive: true, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result { try await download(values, context) }
    }

    private static func download(_ values: JSONObject, _ context: ToolContext) async throws -> JSONObject {
        let arguments = try Arguments(values, tool: name, known: LocalTransfer.arguments)
        let local = try LocalTransfer.path(arguments)
        let verifies = try arguments.boolean("sha256") ?? false
        let call = try await FileCall(arguments, context, needs: .fileWrite, path: "remote_path")
        guard case .created(let file, let handle) = try await context.ask(.create(path: local)) else {
            throw FileFailure(sentence: "The local file \(local) could not be made.")
        }
        let fetched: DownloadResult
        let place: String
        do throws(FileFailure) {
            fetched = try await fetch(call, into: LocalTransfer.Sink(file, local), verifies, context)
            place = try await commit(handle, mode: fetched.attributes.permissions, local, context)
        } catch {
            // A call that is cancelled may not have asked for the name. If it has, the supervisor drops nothing.
            context.broker.abandon(handle: handle)
            throw error
        }
        var result: JSONObject = ["downloaded": true]
        if !place.isEmpty { result["local_path"] = .string(place) }
        result["size"] = .integer(Int64(clamping: fetched.size))
        if let note = moved(local, to: place) { result["note"] = .string(note) }
        if let sha256 = fetched.sha256 { result["sha256"] = .string(sha256) }
        if let grewTo = fetched.grewTo { result["grew_to"] = .integer(Int64(clamping: grewTo)) }
        return result
    }

    /// Has the new file get its name and, where there is no file of that name, the mode of the remote one, less the umask here.
    /// - Returns: the path that leads to it now; empty if none was seen to.
    private static func commit(
        _ handle: UInt32, mode: UInt32?, _ local: String, _ context: ToolContext
    ) async throws(FileFailure) -> String {
        let mode = UInt16(truncatingIfNeeded: (mode ?? 0o600) & 0o777)
        guard case .committed(let place) = try await context.ask(.commit(handle: handle, mode: mode)) else {
            throw FileFailure(sentence: "The local file \(local) could not be given its name.")
        }
        return place
    }

    /// What is to be said where the file is not at the path that was asked for.
    private static func moved(_ local: String, to place: String) -> String? {
        if place == local { return nil }
        let end = place.isEmpty ? "Where the file is now is not known." : "It is at local_path."
        return
            "\(FileFailures.shown(local)) does not lead to the file: its directory was moved or replaced meanwhile. \(end)"
    }

    /// Reads the remote file into the local one, down to the disk.
    private static func fetch(
        _ call: FileCall, into target: LocalTransfer.Sink, _ verifies: Bool, _ context: ToolContext
    ) async throws(FileFailure) -> DownloadResult {
        try await call.sftp { () async throws(SFTPError) in
            let fetched = try await call.files.download(call.path, verifies: verifies) {
                size throws(SFTPError) in
                try await target.admit(size, from: call)
            } to: { bytes async throws(SFTPError) in
                context.notes.received(bytes.count)
                try await target.take(bytes)
            } progress: { done, total in
                context.progress.report(Int64(clamping: done), total: total.map { Int64(clamping: $0) })
            }
            try await target.synchronize()
            if Task.isCancelled { throw .cancelled }
            return fetched
        }
    }
}
