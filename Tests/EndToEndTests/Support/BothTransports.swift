import TestSupport

/// The ways in which sessions come to be: by the gate's own hand, or by an `ssh` that the gate is the master of.
enum BothTransports {
    static let all = ["mux", "ssh"]

    /// The entry of a config.
    static func config(_ transport: String, _ more: JSON = [:]) -> JSON {
        JSON.object(["transport": .string(transport)]).merging(more)
    }
}
