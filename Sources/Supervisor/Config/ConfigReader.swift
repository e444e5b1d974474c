internal import JSON

/// Reads the members of one object of the config. A mistake is noted with its JSON path and does not stop the reading, so that a
/// person sees all mistakes at once.
final class ConfigReader {
    /// The notes about one config. The readers of its objects share them.
    final class Notes {
        var errors: [String] = []
        var warnings: [String] = []
        /// The paths of all keys that were asked for.
        var asked: Set<String> = []
    }

    let notes: Notes
    private let path: String
    private let members: [String: JSONValue]
    private var known: Set<String> = []
    /// Whether a member with the value `null` is a mistake. Else it counts as absent.
    private var refusesNull = false

    init(_ object: JSONObject, path: String, notes: Notes) {
        members = Dictionary(object.members.map { ($0.name, $0.value) }) { first, _ in first }
        self.path = path
        self.notes = notes
    }

    func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func note(_ key: String, _ what: String) { notes.errors.append("\(path(of: key)): \(what)") }

    func warn(_ key: String, _ what: String) { notes.warnings.append("\(path(of: key)): \(what)") }

    private func value(_ key: String) -> JSONValue? {
        known.insert(key)
        notes.asked.insert(path(of: key))
        guard let value = members[key] else { return nil }
        if case .null = value {
            if refusesNull { noteNull(key) }
            return nil
        }
        return value
    }

    /// Notes that the key is there and sets nothing.
    func noteNull(_ key: String) {
        note(key, "null sets nothing, so that the default holds. Write a value, or remove the key")
    }

    func has(_ key: String) -> Bool { value(key) != nil }

    /// Whether the key is there with the value `null`.
    func isNull(_ key: String) -> Bool {
        _ = value(key)
        guard case .some(.null) = members[key] else { return false }
        return true
    }

    /// Whether the key is there with an object that is not empty.
    func hasMembers(_ key: String) -> Bool {
        guard case .some(.object(let object)) = value(key) else { return false }
        return !object.members.isEmpty
    }

    func isEmptyText(_ key: String) -> Bool {
        guard case .some(.string("")) = value(key) else { return false }
        return true
    }

    func string(_ key: String) -> String? {
        switch value(key) {
        case .none: return nil
        case .some(.string(let text)): return text
        case .some(let other):
            note(key, "must be a string, got \(other.configTypeName)")
            return nil
        }
    }

    /// A string that must be there and must not be empty.
    func requiredString(_ key: String) -> String? {
        guard has(key) else {
            note(key, "is required")
            return nil
        }
        guard let text = string(key) else { return nil }
        if text.isEmpty { note(key, "must not be empty") }
        return text.isEmpty ? nil : text
    }

    func bool(_ key: String, default fallback: Bool) -> Bool {
        switch value(key) {
        case .none: return fallback
        case .some(.bool(let truth)): return truth
        case .some(let other):
            note(key, "must be true or false, got \(other.configTypeName)")
            return fallback
        }
    }

    func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int) -> Int {
        switch value(key) {
        case .none: return fallback
        case .some(.integer(let number)) where range.contains(Int(number)): return Int(number)
        case .some(.integer(let number)):
            note(key, "must be from \(range.lowerBound) to \(range.upperBound), got \(number)")
        case .some(let other):
            note(
                key,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound), got \(other.configTypeName)")
        }
        return fallback
    }

    func strings(_ key: String) -> [String]? {
        switch value(key) {
        case .none: return nil
        case .some(.array(let values)):
            return values.enumerated().compactMap { index, value in
                if case .string(let text) = value { return text }
                note("\(key)[\(index)]", "must be a string, got \(value.configTypeName)")
                return nil
            }
        case .some(let other):
            note(key, "must be an array of strings, got \(other.configTypeName)")
            return nil
        }
    }

    func object(_ key: String) -> ConfigReader? {
        switch value(key) {
        case .none: return nil
        case .some(.object(let members)): return ConfigReader(members, path: path(of: key), notes: notes)
        case .some(let other):
            note(key, "must be an object, got \(other.configTypeName)")
            return nil
        }
    }

    /// An object whose members restrict. `null` for the object or for a member is a mistake, because it does not say what its
    /// writer wants.
    func restrictions(_ key: String) -> ConfigReader? {
        guard !isNull(key) else {
            noteNull(key)
            return nil
        }
        let reader = object(key)
        reader?.refusesNull = true
        return reader
    }

    /// The names of the members, sorted.
    var names: [String] { members.keys.sorted() }

    /// What a member is that nothing asked for.
    enum Unknown {
        /// A mistake.
        case mistakes
        /// A warning, but a mistake if its name may have been meant to restrict something.
        case warnings
    }

    /// Notes the members that nothing asked for. Call it when the object has been read.
    func finish(_ unknown: Unknown = .mistakes) {
        for name in names where !known.contains(name) {
            switch unknown {
            case .mistakes: refuse(name, RestrictingKeys.reason(for: name))
            case .warnings:
                if let reason = RestrictingKeys.reason(for: name) {
                    refuse(name, reason)
                } else {
                    notes.warnings.append("\(path(of: name)): unknown key, ignored\(meant(by: name) ?? "")")
                    refuse(in: members[name] ?? .null, at: path(of: name))
                }
            }
        }
    }

    /// Notes every name inside an unknown member that may have been meant to restrict, because it has no effect there.
    private func refuse(in value: JSONValue, at path: String) {
        switch value {
        case .object(let members):
            let reader = ConfigReader(members, path: path, notes: notes)
            for name in reader.names {
                if let reason = RestrictingKeys.reason(for: name) {
                    reader.refuse(name, reason)
                } else {
                    refuse(in: members[name] ?? .null, at: reader.path(of: name))
                }
            }
        case .array(let values):
            for (index, value) in values.enumerated() { refuse(in: value, at: "\(path)[\(index)]") }
        case .null, .bool, .integer, .number, .string, .encoded, .spelled: break
        }
    }

    private func refuse(_ name: String, _ reason: RestrictingKeys.Reason?) {
        if reason == nil || KeyNames.nearest(to: name, among: known) != nil {
            return note(name, "unknown key\(meant(by: name) ?? ".") Correct or remove it")
        }
        switch reason {
        case .near(let meant): note(name, "unknown key; did you mean \"\(meant)\"? Correct or remove it")
        case .word(let word): note(name, "unknown key; \"\(word)\" may be meant to restrict. Correct or remove it")
        case .notASCII: note(name, "unknown key with characters that can look like others. Correct or remove it")
        case .none: break
        }
    }

    /// What an unknown key may be meant to be, as the end of a sentence; nil where nothing is near.
    private func meant(by name: String) -> String? {
        if let meant = KeyNames.nearest(to: name, among: known) { return "; did you mean \"\(meant)\"?" }
        return KeyNames.elsewhere(name).map { "; \($0)." }
    }
}

extension JSONValue {
    /// The type of this value, in words for a person who writes a config. Whole numbers are called numbers.
    var configTypeName: String {
        if case .integer = self { "a number" } else { typeName }
    }
}
