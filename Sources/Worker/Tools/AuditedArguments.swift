internal import IPC
internal import JSON

extension AuditCall {
    /// What the arguments say that may be written down. Names that the log does not know and values of variables stay here.
    init(tool: String, host: String, _ arguments: JSONObject) {
        var fields: [Field] = []
        for member in arguments.members {
            guard let key = AuditKey(rawValue: member.name) else { continue }
            switch (key, member.value) {
            case (.env, .object(let variables)):
                let names = variables.members.map { Arguments.isShellName($0.name) ? $0.name : "?" }
                fields += Field.variables(names)
            case (.env, _): continue
            case (_, .string(let text)): fields.append(Field(key, text))
            case (_, .integer(let number)): fields.append(Field(key, String(number)))
            default: continue
            }
        }
        self.init(tool: tool, host: host, fields: fields)
    }
}
