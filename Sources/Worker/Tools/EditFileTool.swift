internal import IPC
internal import JSON
internal import MCP
internal import SFTP
internal import Threads

/// `ssh_edit_file`: replaces exact texts in a remote file, all of them or none.
enum EditFileTool: Tool {
    static let name = "ssh_edit_file"

    static let needs: [Capability] = [.fileRead, .fileWrite]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Edit a file",
            description:
                "Replaces exact texts in a remote file, all or none, and returns a diff. "
                + "Each old_text must occur exactly once, unless replace_all. "
                + (policy.allowOverwrite ? "" : "Overwriting is switched off: only dry_run works."),
            inputSchema: Schema.object(
                [
                    "path": Schema.string("Absolute or ~/"), "path_base64": Schema.string(),
                    "edits": [
                        "type": "array",
                        "items": .object(
                            Schema.object(
                                [
                                    "old_text": Schema.string(), "new_text": Schema.string(),
                                    "replace_all": Schema.boolean(),
                                ], required: ["old_text", "new_text"])),
                    ],
                    "host": Schema.host(), "dry_run": Schema.boolean(),
                ], required: ["edits"]),
            outputSchema: Schema.result(
                [
                    "edited": Schema.boolean(), "replacements": Schema.integer(),
                    "diff": Schema.string(), InjectionWarning.key: Schema.string(),
                ]),
            readOnly: false, destructive: true, idempotent: false)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(
                values, tool: name, known: ["path", "path_base64", "edits", "host", "dry_run"])
            let edits = try edits(arguments)
            let dryRun = try arguments.boolean("dry_run") ?? false
            let call = try await FileCall(arguments, context, needs: .fileWrite)
            guard call.host.capabilities.fileRead else {
                throw GateRefusal(host: call.host.name, .capability(.fileRead))
            }
            guard dryRun || context.policy.allowOverwrite else {
                throw FileFailure(
                    sentence:
                        "safeguards.allow_overwrite is false, so files on \"\(call.host.name)\" cannot be edited. Pass \"dry_run\": "
                        + "true for the diff alone, or ask the user to set safeguards.allow_overwrite to true.",
                    rule: "allow_overwrite")
            }
            // Clients make such calls side by side, and each must see what the one before it did.
            let turn = try await call.sftp { () async throws(SFTPError) in try await call.files.turnToEdit(call.path) }
            defer { withExtendedLifetime(turn) {} }
            let old = try await call.sftp { () async throws(SFTPError) in
                try await call.files.read(call.path, .head(TextEdit.maximumSize))
            }
            context.notes.received(old.bytes.count)
            guard old.reachedEnd, String(validating: old.bytes, as: UTF8.self) != nil else {
                let what = old.reachedEnd ? "is not UTF-8 text" : "is larger than \(TextEdit.maximumSize) bytes"
                throw FileFailure(
                    sentence: "\(call.text) on \"\(call.host.name)\" \(what), so it cannot be edited. Use ssh_exec.")
            }
            let edited = try await edit(old.bytes, edits, call)
            let new = edited.text
            var result: JSONObject = [
                "edited": .bool(!dryRun && new != old.bytes)
            ]
            call.name(in: &result)
            result["replacements"] = .integer(Int64(edited.count))
            result["diff"] = .string(edited.diff)
            switch edited.endings {
            case .none, .lf: break
            case .crlf, .mixed: result["line_endings"] = .string(edited.endings.rawValue)
            }
            if dryRun, let obstacle = await call.files.obstacle(toWriting: call.path) {
                result["writable"] = false
                result["reason"] = .string(FileFailure(obstacle, call.host, path: call.text).sentence)
            }
            guard !dryRun, new != old.bytes else { return result }
            let written = try await call.sftp { () async throws(SFTPError) in
                try await call.files.write(
                    call.path, new, WriteOptions(policy: .replace, expected: old.bytes))
            }
            context.notes.sent(new.count)
            WriteFileTool.describe(written, in: &result)
            return result
        }
    }

    /// What came of edits.
    private struct Edited {
        let text: [UInt8]
        let count: Int
        let diff: String
        /// How the lines of the old text end.
        let endings: LineEndings
    }

    /// Replaces and compares, apart from the tasks.
    private static func edit(
        _ old: [UInt8], _ edits: [TextEdit], _ call: FileCall
    ) async throws(FileFailure) -> Edited {
        let path = call.text
        let edited: Result<Edited, FileFailure>
        do throws(Apart.Cancelled) {
            edited = try await Apart.texts.run { cancellation in
                Result { () throws(FileFailure) in
                    let (new, count) = try TextEdit.apply(edits, to: old, cancellation)
                    return Edited(
                        text: new, count: count, diff: UnifiedDiff.text(from: old, to: new, path: path, cancellation),
                        endings: LineEndings(of: old))
                }
            }
        } catch {
            throw FileFailure(.cancelled, call.host, path: path)
        }
        return try edited.get()
    }

    private static func edits(_ arguments: Arguments) throws -> [TextEdit] {
        try arguments.objects("edits").enumerated().map { index, values in
            let item = try Arguments(
                values, tool: "\(name): edits[\(index)]", known: ["old_text", "new_text", "replace_all"])
            guard let old = try item.text("old_text"), !old.isEmpty, let new = try item.text("new_text") else {
                throw Arguments.Mistake(
                    sentence: "\(name): edits[\(index)] needs \"old_text\", not empty, and \"new_text\", both strings.")
            }
            return TextEdit(old: old, new: new, all: try item.boolean("replace_all") ?? false)
        }
    }
}
