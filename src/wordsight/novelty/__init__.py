"""novelty"""
