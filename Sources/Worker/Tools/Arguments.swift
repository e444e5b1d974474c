internal import JSON
internal import MCP

/// Reads the arguments of a tool. A mistake becomes a sentence that names the argument.
struct Arguments {
    /// What is wrong with the arguments.
    struct Mistake: Error, Equatable {
        /// A sentence for the model.
        let sentence: String
        /// The rule for the audit log: `arguments`, or another one for the host that they name.
        var rule = "arguments"
    }

    private let tool: String
    private let values: JSONObject

    /// Takes the arguments.
    /// - Throws: if one of them has a name that the tool does not know.
    init(_ values: JSONObject, tool: String, known: [String]) throws(Mistake) {
        self.tool = tool
        self.values = values
        for member in values.members where !known.contains(where: member.name.hasBytes) {
            let names = known.isEmpty ? "none" : known.map { "\"\($0)\"" }.joined(separator: ", ")
            throw Mistake(
                sentence: "\(tool) has no argument \"\(member.name.bounded)\"; its arguments are: \(names).")
        }
    }

    func string(_ name: String) throws(Mistake) -> String? {
        let text = try text(name)
        // A shell or a file system would take a NUL for the end of the text.
        guard text?.utf8.contains(0) != true else { throw mistake(name, "must not contain a NUL character") }
        return text
    }

    /// A string that may have any characters, because it is content.
    func text(_ name: String) throws(Mistake) -> String? {
        switch values[name] {
        case .none, .some(.null): return nil
        case .some(.string(let text)): return text
        case .some(let other): throw mistake(name, "must be a string, not \(other.typeName)")
        }
    }

    func boolean(_ name: String) throws(Mistake) -> Bool? {
        switch values[name] {
        case .none, .some(.null): return nil
        case .some(.bool(let truth)): return truth
        case .some(let other): throw mistake(name, "must be true or false, not \(other.typeName)")
        }
    }

    /// A list of objects, not empty.
    func objects(_ name: String) throws(Mistake) -> [JSONObject] {
        guard case .array(let elements) = values[name], !elements.isEmpty else {
            throw mistake(name, "must be a list of objects, not empty")
        }
        var objects: [JSONObject] = []
        for element in elements {
            guard let object = element.object else {
                throw mistake(name, "must hold objects only, not \(element.typeName)")
            }
            objects.append(object)
        }
        return objects
    }

    /// One of some words; nil if there is none.
    func choice(_ name: String, of words: [String]) throws(Mistake) -> String? {
        guard let word = try string(name) else { return nil }
        guard words.contains(where: word.hasBytes) else {
            let names = words.map { "\"\($0)\"" }.joined(separator: " or ")
            throw mistake(name, "must be \(names), not \"\(word.prefix(50))\"")
        }
        return word
    }

    func requiredString(_ name: String) throws(Mistake) -> String {
        guard let text = try string(name) else { throw mistake(name, "is missing; it must be a string") }
        guard !text.isEmpty else { throw mistake(name, "must not be empty") }
        return text
    }

    func integer(_ name: String, in range: ClosedRange<Int>, unit: String? = nil) throws(Mistake) -> Int? {
        let wanted =
            "must be a whole number\(unit.map { " of \($0)" } ?? "") from \(range.lowerBound) to \(range.upperBound)"
        switch values[name] {
        case .none, .some(.null): return nil
        case .some(.integer(let value)):
            guard let number = Int(exactly: value), range.contains(number) else {
                throw mistake(name, "\(wanted), not \(value)")
            }
            return number
        case .some(.number(let value)):
            guard let number = Int(exactly: value), range.contains(number) else {
                throw mistake(name, "\(wanted), not \(value)")
            }
            return number
        case .some(let other): throw mistake(name, "\(wanted), not \(other.typeName)")
        }
    }

    /// Permission bits in octal. Set-user-ID, set-group-ID and sticky are refused: who runs such a file gets the rights of
    /// its owner, which no tool gives away.
    func mode(_ name: String) throws(Mistake) -> UInt32? {
        guard let text = try string(name) else { return nil }
        guard (1...12).contains(text.utf8.count), text.utf8.allSatisfy(Self.octalDigits.contains),
            let mode = UInt64(text, radix: 8)
        else {
            throw mistake(name, "must be octal permissions like \"0644\"")
        }
        guard mode <= 0o777 else {
            throw mistake(
                name,
                "must be at most \"0777\": set-user-ID, set-group-ID and sticky bits are not set by this tool. Nothing was "
                    + "done; leave them out")
        }
        return UInt32(mode)
    }

    private static let octalDigits = UInt8(ascii: "0")...UInt8(ascii: "7")

    /// Environment variables: an object of strings with shell names.
    func environment(_ name: String) throws(Mistake) -> [String: String] {
        let members: [JSONObject.Member]
        switch values[name] {
        case .none, .some(.null): return [:]
        case .some(.object(let object)): members = object.members
        case .some(let other): throw mistake(name, "must be an object of strings, not \(other.typeName)")
        }
        var variables: [String: String] = [:]
        for member in members {
            guard Self.isShellName(member.name) else {
                throw mistake(name, "has the name \"\(member.name.prefix(100))\", which is no variable name")
            }
            guard let value = member.value.string, !value.utf8.contains(0) else {
                throw mistake(name, "must give \"\(member.name.prefix(100))\" a string without NUL")
            }
            variables[member.name] = value
        }
        return variables
    }

    private func mistake(_ name: String, _ what: String) -> Mistake {
        Mistake(sentence: "\(tool): argument \"\(name)\" \(what).")
    }

    static func isShellName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy {
            $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
    }
}
