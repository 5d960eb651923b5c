"""The data plane: moves packets between TUN and UDP by the keys and prefixes it is given."""
