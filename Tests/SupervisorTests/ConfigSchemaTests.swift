import FoundationEssentials
import JSON
import Testing

@testable import Supervisor

/// `contrib/config.schema.json` says the same as the reader.
@Suite("Config schema")
struct ConfigSchemaTests {
    private static func contrib(_ name: String) throws -> [UInt8] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return Array(try Data(contentsOf: URL(filePath: "/\(root)/contrib/\(name)")))
    }

    private static func schema() throws -> SchemaValidator { try SchemaValidator(contrib("config.schema.json")) }

    /// Every key that a schema has, with `*` for a name of the user's.
    private static func keys(_ schema: SchemaValidator, _ node: JSONValue, _ path: String = "") -> Set<String> {
        var found: Set<String> = []
        let node = schema.resolved(node)
        for (name, member) in node["properties"]?.members ?? [:] {
            let key = path.isEmpty ? name : "\(path).\(name)"
            found.insert(key)
            found.formUnion(keys(schema, member, key))
        }
        if let any = node["additionalProperties"], any.members != nil {
            found.formUnion(keys(schema, any, "\(path).*"))
        }
        return found
    }

    @Test func `every key that the reader knows is in the schema, and every key of the schema is known to the reader`()
        throws
    {
        let notes = ConfigReader.Notes()
        let full = #""capabilities": {}"#
        let top = #""capabilities": {}, "safeguards": {}, "limits": {}, "sandbox": {}"#
        _ = try Config(json: Array(multi(full, top: top).utf8), environment: environment, path: "p", notes: notes)
        let asked = Set(
            notes.asked.map { $0.replacing("hosts.a.", with: "hosts.*.").replacing("hosts.b.", with: "hosts.*.") }
        )
        .subtracting(["hosts.a", "hosts.b"])
        let schema = try Self.schema()
        #expect(Self.keys(schema, schema.root) == asked)
        #expect(asked.count > 35)
    }

    @Test func `the objects of the schema are closed, so that a misspelt key is an error in an editor`() throws {
        let schema = try Self.schema()
        for json in [single(#""mcp_sokcet": 1"#), multi(#""x": 1"#), single(#""limits": {"x": 1}"#)] {
            #expect(try !schema.mistakes(in: Array(json.utf8)).isEmpty)
        }
    }

    @Test(arguments: ["config.single-host.json", "config.multi-host.json", "config.full.json"])
    func `the examples that we ship are valid, and load without a warning`(name: String) throws {
        let json = try Self.contrib(name)
        #expect(try Self.schema().mistakes(in: json) == [])
        #expect(try Config(json: json, environment: environment, path: name).warnings == [])
    }

    @Test func `the full example has every key`() throws {
        let schema = try Self.schema()
        let loaded = try JSONReader.read(Array(Self.contrib("config.full.json")))
        var found: Set<String> = []
        func walk(_ value: JSONValue, _ path: String) {
            for (name, member) in value.members ?? [:] {
                let key = path == "hosts" ? "hosts.*" : path.isEmpty ? name : "\(path).\(name)"
                found.insert(key)
                walk(member, key)
            }
        }
        walk(loaded, "")
        let rest: Set<String> = Self.keys(schema, schema.root).subtracting(found)
        let missing: Set<String> = rest.filter { !$0.hasPrefix("hosts.*.capabilities.") }
        #expect(
            missing == ["$schema", "ssh_socket", "ssh_user", "ssh_host", "file_transport"])
    }

    @Test(arguments: ConfigMistakesTests.types.indices)
    func `what the reader refuses for its type, the schema refuses, and null passes where it does there`(index: Int)
        throws
    {
        let schema = try Self.schema()
        let entry = ConfigMistakesTests.types[index]
        for value in entry.wrong {
            #expect(try !schema.mistakes(in: Array(entry.json.replacing("@", with: value).utf8)).isEmpty, "\(value)")
        }
        if !entry.path.hasSuffix("]") {
            let json = entry.json.replacing("@", with: "null")
            #expect(try schema.mistakes(in: Array(json.utf8)).isEmpty == mistakes(json).isEmpty, "\(json)")
        }
    }

    @Test func `numbers have the ranges of the reader`() throws {
        let schema = try Self.schema()
        let limits = try #require(schema.root["properties"]?["limits"]?["properties"]?.members)
        var entries = limits.map { ("limits", #""limits": {"\#($0.key)": @}"#, $0.value) }
        let wait = try #require(schema.root["properties"]?["client_wait_seconds"])
        entries.append(("client_wait_seconds", #""client_wait_seconds": @"#, wait))
        #expect(entries.count == 6)
        for (_, json, number) in entries {
            guard case .integer(let low) = number["minimum"], case .integer(let high) = number["maximum"],
                case .integer(let fallback) = number["default"]
            else {
                Issue.record("no range: \(json)")
                continue
            }
            #expect((low...high).contains(fallback))
            for (value, isGood) in [(low, true), (high, true), (low - 1, false), (high + 1, false)] {
                let text = single(json.replacing("@", with: "\(value)"))
                #expect(mistakes(text).isEmpty == isGood, "\(text)")
                #expect(try schema.mistakes(in: Array(text.utf8)).isEmpty == isGood, "\(text)")
            }
        }
    }

    @Test(arguments: [
        "{}", #"{"mcp_socket": "/m", "ssh_socket": "/s"}"#,
        #"{"hosts": {"a": {"socket": "/s", "user": "u", "host": "h"}}}"#,
        #"{"default_host": "a", "hosts": {"a": {"socket": "/s", "user": "u"}}}"#,
        #"{"default_host": "a", "hosts": {"": {"socket": "/s", "user": "u", "host": "h"}}}"#,
        #"{"ssh_socket": "s", "ssh_user": "u", "ssh_host": "h"}"#,
        #"{"ssh_socket": "/s", "ssh_user": "-u", "ssh_host": "h"}"#,
        #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "a b"}"#, "[]",
        #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h", "audit_log": "a.log"}"#,
        #"{"default_host": "a", "hosts": {"a": {"socket": "/s", "user": "u", "host": "h", "base_dir": "srv"}}}"#,
        #"{"default_host": "a", "hosts": {"a": {"socket": "/s", "user": "u", "host": "h", "base_dir": "//./../"}}}"#,
        #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h", "local_roots": ["/"]}"#,
        #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h", "audit_log": ""}"#,
    ])
    func `what the reader refuses for its form, the schema refuses`(json: String) throws {
        #expect(!mistakes(json).isEmpty)
        #expect(try !Self.schema().mistakes(in: Array(json.utf8)).isEmpty)
    }
}

extension JSONValue {
    fileprivate var members: [String: JSONValue]? {
        object.map { Dictionary($0.members.map { ($0.name, $0.value) }) { first, _ in first } }
    }

    fileprivate subscript(name: String) -> JSONValue? { object?[name] }
}

/// As much of JSON Schema, draft 2020-12, as the config's schema uses. A keyword that it does not know is a mistake.
private struct SchemaValidator {
    let root: JSONValue

    init(_ json: [UInt8]) throws {
        root = try JSONReader.read(json)
    }

    func mistakes(in json: [UInt8]) throws -> [String] {
        check(try JSONReader.read(json), root, "")
    }

    /// A schema behind its `$ref`.
    func resolved(_ schema: JSONValue) -> JSONValue {
        guard case .string(let reference) = schema["$ref"] else { return schema }
        return reference.split(separator: "/").dropFirst().reduce(root) { $0[String($1)] ?? .null }
    }

    private func check(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        guard let keywords = schema.members else { return ["\(path): no schema"] }
        return keywords.flatMap { keyword, argument -> [String] in
            switch keyword {
            case "$ref": check(value, resolved(schema), path)
            case "anyOf":
                elements(argument).contains { check(value, $0, path).isEmpty } ? [] : ["\(path): none of anyOf"]
            case "type":
                (elements(argument) + [argument]).contains { isType(value, $0) } ? [] : ["\(path): type"]
            case "properties":
                (argument.members ?? [:]).flatMap { name, member in
                    value[name].map { check($0, member, "\(path).\(name)") } ?? []
                }
            case "additionalProperties":
                (value.members ?? [:]).filter { schema["properties"]?[$0.key] == nil }.flatMap { name, member in
                    argument.members == nil ? ["\(path).\(name): unknown"] : check(member, argument, "\(path).\(name)")
                }
            case "propertyNames":
                (value.members ?? [:]).flatMap { check(.string($0.key), argument, "\(path).\($0.key)") }
            case "required":
                elements(argument).compactMap {
                    guard case .string(let name) = $0, value.members != nil, value[name] == nil else { return nil }
                    return "\(path).\(name): required"
                }
            case "items": elements(value).enumerated().flatMap { check($1, argument, "\(path)[\($0)]") }
            case "minimum", "maximum", "minLength", "maxLength", "minProperties", "maxProperties":
                isWithin(value, keyword, argument) ? [] : ["\(path): \(keyword)"]
            case "pattern": isMatch(value, argument) ? [] : ["\(path): pattern"]
            case "$schema", "$defs", "title", "description", "default", "examples": []
            default: ["\(keyword): a keyword that this test does not know"]
            }
        }
    }

    private func elements(_ value: JSONValue) -> [JSONValue] {
        if case .array(let elements) = value { elements } else { [] }
    }

    private func isType(_ value: JSONValue, _ name: JSONValue) -> Bool {
        guard case .string(let name) = name else { return false }
        return switch value {
        case .null: name == "null"
        case .bool: name == "boolean"
        case .integer: name == "integer" || name == "number"
        case .number, .spelled: name == "number"
        case .string, .encoded: name == "string"
        case .array: name == "array"
        case .object: name == "object"
        }
    }

    private func isWithin(_ value: JSONValue, _ keyword: String, _ bound: JSONValue) -> Bool {
        guard case .integer(let bound) = bound else { return false }
        let isNumber = keyword == "minimum" || keyword == "maximum"
        let size: Int
        switch value {
        case .integer(let number) where isNumber: size = Int(number)
        case .string(let text) where keyword.hasSuffix("Length"): size = text.unicodeScalars.count
        case .object(let members) where keyword.hasSuffix("Properties"): size = members.members.count
        default: return true
        }
        return keyword.hasPrefix("min") ? size >= Int(bound) : size <= Int(bound)
    }

    private func isMatch(_ value: JSONValue, _ pattern: JSONValue) -> Bool {
        guard case .string(let text) = value else { return true }
        guard case .string(let pattern) = pattern, let regex = try? Regex(pattern) else { return false }
        return text.firstMatch(of: regex.matchingSemantics(.unicodeScalar)) != nil
    }
}
