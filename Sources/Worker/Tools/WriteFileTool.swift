internal import FoundationEssentials
internal import IPC
internal import JSON
internal import MCP
internal import SFTP

/// `ssh_write_file`: writes a whole remote file, so that nothing is lost on the way.
enum WriteFileTool: Tool {
    static let name = "ssh_write_file"

    static let needs: [Capability] = [.fileWrite]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Write a file",
            description: "Writes a remote file, whole or not at all. "
                + (policy.allowOverwrite
                    ? "One that exists is replaced; to change parts, ssh_edit_file is safer."
                    : "A file that exists is refused: overwriting is switched off."),
            inputSchema: Schema.object(
                [
                    "path": Schema.string("Absolute or ~/"), "path_base64": Schema.string(), "content": Schema.string(),
                    "encoding": ["enum": ["utf-8", "base64"]],
                    "host": Schema.host(), "mode": Schema.string("Octal, as \"0644\", to 0777"),
                    "create_dirs": Schema.boolean(),
                ], required: ["content"]),
            outputSchema: Schema.result(
                [
                    "written": Schema.boolean(), "size": Schema.integer(),
                    "method": Schema.string(),
                ]),
            readOnly: false, destructive: true, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(
                values, tool: name,
                known: ["path", "path_base64", "content", "encoding", "host", "mode", "create_dirs"])
            let content = try await content(arguments)
            let mode = try arguments.mode("mode")
            let createDirectories = try arguments.boolean("create_dirs") ?? false
            let call = try await FileCall(arguments, context, needs: .fileWrite)
            let options = WriteOptions(
                policy: context.policy.allowOverwrite ? .replace : .createOnly, mode: mode,
                createDirectories: createDirectories)
            let written = try await call.sftp { () async throws(SFTPError) in
                try await call.files.write(call.path, content, options)
            }
            context.notes.sent(content.count)
            var result: JSONObject = ["written": true]
            call.name(in: &result)
            describe(written, in: &result)
            return result
        }
    }

    /// Adds how a file was written.
    static func describe(_ written: WriteResult, in result: inout JSONObject) {
        result["size"] = .integer(Int64(clamping: written.size))
        switch written.method {
        case .created: result["method"] = "created"
        case .replaced: result["method"] = "replaced"
        case .inPlace(let reason):
            result["method"] = "in_place"
            result["reason"] = .string(reason)
        }
    }

    private static func content(_ arguments: Arguments) async throws -> [UInt8] {
        guard let content = try arguments.text("content") else {
            throw Arguments.Mistake(sentence: "\(name): argument \"content\" is missing; it must be a string.")
        }
        guard try arguments.choice("encoding", of: ["utf-8", "base64"]) == "base64" else { return Array(content.utf8) }
        let decoded = try await LongText.compute(on: content.utf8.count) {
            Data(base64Encoded: content).map { Array($0) }
        }
        guard let bytes = decoded else {
            throw Arguments.Mistake(
                sentence: "\(name): argument \"content\" is not valid base64. Nothing was written.")
        }
        return bytes
    }
}
